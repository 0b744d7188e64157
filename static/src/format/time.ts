/** Dates in words, no more precise than they are known. All times are UTC. */
import type { TimePrecision } from '../api/types';

export type Translate = (key: string, values?: Record<string, string | number>) => string;

const DAY = 86_400_000;

function formatter(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat(locale, { timeZone: 'UTC', ...options });
}

const FULL: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'long', year: 'numeric' };
const SHORT: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short', year: 'numeric' };
const MONTH: Intl.DateTimeFormatOptions = { month: 'long', year: 'numeric' };
const CLOCK: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };

/** The week of a date by ISO 8601: weeks begin on Monday, the first holds the year's first Thursday. */
export function isoWeek(date: Date): { year: number; week: number } {
  const day = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()));
  day.setUTCDate(day.getUTCDate() + 4 - (day.getUTCDay() || 7));
  const first = Date.UTC(day.getUTCFullYear(), 0, 1);
  return { year: day.getUTCFullYear(), week: Math.ceil(((day.getTime() - first) / DAY + 1) / 7) };
}

/**
 * When something happened, in words. `from` and `to` bound it as [from, to); the precision says which parts of
 * them are known.
 */
export function timeWords(
  from: string | null | undefined,
  to: string | null | undefined,
  precision: TimePrecision | null | undefined,
  locale: string,
  t: Translate,
): string | null {
  if (!from) return null;
  const start = new Date(from);
  // the end is exclusive: the last moment that belongs is just before it
  const end = to ? new Date(Math.max(new Date(to).getTime() - 1, start.getTime())) : start;
  const full = formatter(locale, FULL);
  switch (precision) {
    case 'minute':
      return t('time.minute', { date: full.format(start), time: formatter(locale, CLOCK).format(start) });
    case 'hour':
      return t('time.hour', {
        date: full.format(start),
        from: formatter(locale, CLOCK).format(start),
        to: formatter(locale, CLOCK).format(to ? new Date(to) : start),
      });
    case 'week': {
      // a release by week spans one; a source that knows the week may still name days
      const whole = end.getTime() - start.getTime() > 6 * DAY;
      if (!whole) return t('time.week.about', { dates: full.formatRange(start, end) });
      return t('time.week', { date: full.format(start), week: isoWeek(start).week });
    }
    case 'month': {
      const month = formatter(locale, MONTH);
      return t('time.month', { month: month.formatRange(start, end) });
    }
    case 'longer':
      return t('time.between', { from: full.format(start), to: full.format(end) });
    default:
      return full.formatRange(start, end);
  }
}

/** The same for a narrow column. */
export function shortTime(
  from: string | null | undefined,
  to: string | null | undefined,
  precision: TimePrecision | null | undefined,
  locale: string,
): string {
  if (!from) return '';
  const start = new Date(from);
  const end = to ? new Date(Math.max(new Date(to).getTime() - 1, start.getTime())) : start;
  const month: Intl.DateTimeFormatOptions = { month: 'short', year: 'numeric' };
  if (precision === 'month' || precision === 'longer') return formatter(locale, month).formatRange(start, end);
  return formatter(locale, SHORT).formatRange(start, end);
}

export function dateWords(date: string, locale: string): string {
  return formatter(locale, FULL).format(new Date(date));
}

export function dateTimeWords(date: string, locale: string): string {
  return `${formatter(locale, FULL).format(new Date(date))}, ${formatter(locale, CLOCK).format(new Date(date))} Z`;
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];

/** A date-time group in Zulu, `221843Z NOV 26`. */
export function dateTimeGroup(date: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const day = two(date.getUTCDate()) + two(date.getUTCHours()) + two(date.getUTCMinutes());
  return `${day}Z ${MONTHS[date.getUTCMonth()]} ${two(date.getUTCFullYear() % 100)}`;
}
