/** Who is here, as which audience they work, and as which second one they look. */
import { onReachable, onRefused, read, Refused, send } from '../api/client';
import type { Account, Audience, SessionAnswer } from '../api/types';
import { t, words } from '../i18n/index.svelte';
import { screen } from './screen.svelte';
import { Picture } from './picture.svelte';
import { selection } from './selection.svelte';

class Session {
  account = $state.raw<Account | null>(null);
  /** All audiences this person may work as, one at a time. */
  audiences = $state.raw<Audience[]>([]);
  picture = $state.raw<Picture | null>(null);
  second = $state.raw<Picture | null>(null);
  started = $state(false);
  /** Does the server answer? */
  reachable = $state(true);
  /** Goes up when everything on the screen must be read anew. */
  epoch = $state(0);
  signingIn = $state(false);
  /** An audience that a link asked for and that this person may not use. */
  wanted = $state<string | null>(null);
  /** The audience a link asked for as the second one; opened once the first stands. */
  wantedSecond: string | null = null;

  constructor() {
    onReachable((reachable) => (this.reachable = reachable));
    onRefused((status, path) => {
      const asked = path.split('/')[1];
      if ((status === 401 || status === 404) && this.account && asked !== 'api') void this.#recheck();
    });
  }

  #checking = false;

  /** Has the session ended? Then what it showed goes from the screen, and a sign-in leads back to it. */
  async #recheck(): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    try {
      this.#meet(await read<SessionAnswer>('/api/session'));
      const working = this.picture?.audience.id;
      if (working && !this.audiences.some((one) => one.id === working)) {
        this.wanted = working;
        this.signingIn = true;
        this.wantedSecond = null;
        await this.work(this.audiences[0]);
      }
    } catch {
      // the banner tells when the server does not answer
    } finally {
      this.#checking = false;
    }
  }

  /** Ask who is here and open a picture: the wanted audience's, else the public one. */
  async start(audience: string | null, second: string | null): Promise<void> {
    const answer = await read<SessionAnswer>('/api/session');
    this.#meet(answer);
    this.started = true;
    const found = this.audiences.find((one) => one.id === audience);
    this.wantedSecond = second;
    if (audience && !found) {
      this.wanted = audience;
      this.signingIn = true;
    }
    if (found && this.picture?.audience.id === found.id) {
      const other = this.audiences.find((one) => one.id === second && one.id !== found.id);
      if (this.second?.audience.id !== other?.id) this.compare(other ?? null);
    }
    await this.work(found ?? this.audiences[0]);
  }

  #meet(answer: SessionAnswer): void {
    this.account = answer.account;
    const all = [...answer.audiences, ...(answer.account?.audiences ?? [])];
    this.audiences = all.filter((one, i) => all.findIndex((other) => other.id === one.id) === i);
  }

  /** Work as an audience. All that was read as another one is let go first. */
  async work(audience: Audience | undefined): Promise<void> {
    if (!audience || this.picture?.audience.id === audience.id) return;
    const wantedSecond = this.wantedSecond;
    this.wantedSecond = null;
    this.compare(null);
    selection.clear();
    this.picture?.close();
    const picture = new Picture(audience);
    this.picture = picture;
    await picture.load(words.language);
    if (this.picture !== picture) return;
    screen.say(t('say.audience', { marking: audience.marking }));
    const second = this.audiences.find((one) => one.id === wantedSecond && one.id !== audience.id);
    if (second) this.compare(second);
  }

  /** Look as a second audience beside the first, or stop it. */
  compare(audience: Audience | null): void {
    this.second?.close();
    selection.clear();
    if (!audience) {
      this.second = null;
      return;
    }
    const picture = new Picture(audience);
    this.second = picture;
    void picture.load(words.language);
  }

  async swap(): Promise<void> {
    const [first, second] = [this.picture, this.second];
    if (!first || !second) return;
    this.wantedSecond = first.audience.id;
    await this.work(second.audience);
  }

  /** Read everything again: after a change of language, or when the server is back. */
  async again(): Promise<void> {
    if (!this.started || !this.picture) return;
    await Promise.all([this.picture.load(words.language), this.second?.load(words.language)]);
    this.epoch += 1;
  }

  /** Throws `Refused` when name and password do not fit. */
  async signIn(name: string, password: string): Promise<void> {
    const answer = await send<SessionAnswer>('POST', '/api/session', { name, password });
    this.#meet(answer?.audiences ? answer : await read<SessionAnswer>('/api/session'));
    const wanted = this.audiences.find((one) => one.id === this.wanted);
    this.signingIn = false;
    this.wanted = null;
    // without a wish, the highest of the account's audiences is what its work is about
    const rank = (one: Audience) => ['public', 'unclassified', 'confidential', 'strict'].indexOf(one.level);
    await this.work(wanted ?? [...this.audiences].sort((a, b) => rank(b) - rank(a))[0]);
  }

  async signOut(): Promise<void> {
    try {
      await send('DELETE', '/api/session');
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    this.#meet(await read<SessionAnswer>('/api/session'));
    this.wantedSecond = null;
    await this.work(this.audiences[0]);
  }
}

export const session = new Session();
