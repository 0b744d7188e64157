CREATE TABLE vault.imports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    layer text NOT NULL,
    source_system text NOT NULL,
    file text NOT NULL,
    sha256 text NOT NULL,
    profile text NOT NULL,
    who text NOT NULL,
    source text NOT NULL DEFAULT '',
    licence text NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT now(),
    inserted integer NOT NULL DEFAULT 0,
    updated integer NOT NULL DEFAULT 0,
    unchanged integer NOT NULL DEFAULT 0,
    deleted integer NOT NULL DEFAULT 0
);

-- Earlier states of records. No release reads it.
CREATE TABLE vault.history (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    layer text NOT NULL,
    record uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted boolean NOT NULL,
    state jsonb NOT NULL
);
CREATE INDEX history_record ON vault.history (layer, record);
CREATE INDEX history_at ON vault.history (at);

-- Keys of released ids and pseudonyms: one per audience family and layer, made once, never changed.
CREATE TABLE vault.release_keys (
    family text NOT NULL,
    layer text NOT NULL,
    key bytea NOT NULL,
    PRIMARY KEY (family, layer)
);

-- What is installed in each release schema, by the fingerprint of its plan.
CREATE TABLE vault.installed (
    audience text NOT NULL,
    layer text NOT NULL,
    plan text NOT NULL,
    PRIMARY KEY (audience, layer)
);

-- The rules in force and those before them, as their files were. A finer rule is told by comparison with the last.
CREATE TABLE vault.rules (
    seq integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version integer NOT NULL,
    sha256 text NOT NULL,
    file bytea NOT NULL,
    allowed_finer boolean NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The last batch of each audience: the slot as of which its delayed rows hold, and when it ran.
CREATE TABLE vault.batches (
    audience text PRIMARY KEY,
    slot timestamptz NOT NULL,
    ran_at timestamptz NOT NULL
);

-- The daily slot as of which consents are judged in releases without delay.
CREATE TABLE vault.clock (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    slot timestamptz NOT NULL
);
INSERT INTO vault.clock (slot) VALUES ('1970-01-05 00:00Z');

-- Frozen public reference data of the blur rules (layers.cells).
CREATE TABLE vault.areas_of_reference (
    id text PRIMARY KEY,
    kind text NOT NULL,
    code text NOT NULL,
    label text,
    parent text,
    km integer NOT NULL,
    geom geometry(Geometry, 4326) NOT NULL,
    geom3857 geometry(Geometry, 3857) NOT NULL
);
CREATE INDEX areas_of_reference_admin ON vault.areas_of_reference USING gist (geom) WHERE kind LIKE 'admin%';
CREATE TABLE vault.honest_cells (
    rule text NOT NULL,
    cell_x integer NOT NULL,
    cell_y integer NOT NULL,
    area text NOT NULL,
    level integer NOT NULL,
    PRIMARY KEY (rule, cell_x, cell_y)
);
CREATE TABLE vault.honest_areas (
    rule text NOT NULL,
    area text NOT NULL,
    PRIMARY KEY (rule, area)
);
CREATE TABLE vault.partners_of_reference (
    admin2 text NOT NULL,
    sector text NOT NULL,
    n integer NOT NULL,
    PRIMARY KEY (admin2, sector)
);
CREATE TABLE vault.reference_installed (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    fingerprint text NOT NULL
);

-- 53 bits of an HMAC: fits a JSON number and an MVT feature id.
CREATE FUNCTION vault.fid(record uuid, key bytea) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT ('x' || encode(substring(public.hmac(uuid_send(record), key, 'sha256') FROM 1 FOR 7), 'hex'))::bit(56)::bigint >> 3 $$;

-- The same value has the same pseudonym within a family and field, and no other link.
-- STABLE, as what it calls: then it is inlined into the derivation, and costs a third of a call.
CREATE FUNCTION vault.pseudonym(field text, value text, key bytea) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT upper(left(field, 1)) || '-' || upper(substr(encode(public.hmac(convert_to(field || ':' || value, 'UTF8'), key, 'sha256'), 'hex'), 1, 8)) $$;

-- Text in the form in which it is searched: lower case, without accents.
CREATE FUNCTION vault.search_text(VARIADIC parts text[]) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(lower(public.unaccent('public.unaccent', array_to_string(parts, ' '))), '') $$;

-- Earlier states are kept by statement, with the transition table of the change.
CREATE FUNCTION vault.keep_history() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = vault, public, pg_temp
AS $$
BEGIN
    INSERT INTO vault.history (layer, record, deleted, state)
    SELECT TG_TABLE_NAME, o.id, TG_OP = 'DELETE', to_jsonb(o) - 'geom' || jsonb_build_object('geom', ST_AsEWKT(o.geom)) FROM before o;
    RETURN NULL;
END $$;

-- Every change counts as a change, whoever makes it.
CREATE FUNCTION vault.touch() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    NEW.version := OLD.version + 1;
    RETURN NEW;
END $$;

CREATE SCHEMA auth;
CREATE TABLE auth.accounts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9._-]{0,62}$'),
    password_hash text NOT NULL,
    audiences text[] NOT NULL DEFAULT '{}',
    editor boolean NOT NULL DEFAULT false,
    admin boolean NOT NULL DEFAULT false,
    disabled boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE auth.sessions (
    token_hash bytea PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES auth.accounts ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_account ON auth.sessions (account_id);
CREATE INDEX sessions_expiry ON auth.sessions (expires_at);
CREATE TABLE auth.tokens (
    token_hash bytea PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES auth.accounts ON DELETE CASCADE,
    audience text NOT NULL,
    label text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE TABLE auth.attempts (
    name text NOT NULL,
    address text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX attempts_at ON auth.attempts (at);
