import { type Kysely, sql } from 'kysely'
import { takeGently } from './take-gently.ts'

/*
 * Replay, token and audit rows lie in ranges of time and go by dropping a range (docs/adr/0025-partitions.md).
 * - The range of a claim comes from a time inside the signed artefact, so that one artefact always falls into one place
 *   (attack 130); that of a token from its end; that of an audit row from its id, which begins with its time.
 * - Single use is decided by the primary key of the one partition that a claim can fall into, and so needs no time in
 *   it; a jti of ours is 128 random bits, unique without anybody looking. So the tables above have no primary key.
 * - What there was is the first partition as it lies, without a row copied: the steps before saw to it that its end is
 *   known. Partitions are named by their range in epoch seconds, and made by the server ahead of time.
 */

/** Nobody before may have claimed more than a day ahead; nodes of the release before claim there until this ends. */
const FIRST_CLAIMS = `do $$
  declare ends_at bigint;
  begin
    if not exists (select from sealing_canary) then return; end if;
    select ceil((greatest(coalesce(extract(epoch from max(expires_at)), 0),
      extract(epoch from clock_timestamp()) + 86400) + 1) / 600) * 600 into ends_at from replay;
    execute format('alter table replay add constraint %I check (expires_at < %L)',
      'replay_until_' || ends_at, to_timestamp(ends_at));
  end $$`

/** Its rule is no rule of the table above; indexes make room for those of the table above. */
const SET_ASIDE = `do $$
  declare
    part record;
    name text;
  begin
    for part in
      select * from (values ('replay', 'expires_at'), ('token', 'expires_at'), ('audit_event', 'id')) as t (parent, key)
    loop
      execute format('alter table %I rename to %I', part.parent, part.parent || '_before');
      for name in select indexrelid::regclass::text from pg_index
        where indrelid = (part.parent || '_before')::regclass
      loop
        execute format('alter index %I rename to %I', name, left(name, 56) || '_before');
      end loop;
      execute format('create table %I (like %I including defaults including constraints) partition by range (%I)',
        part.parent, part.parent || '_before', part.key);
      for name in select conname from pg_constraint
        where conrelid = part.parent::regclass and conname ~ ('^' || part.parent || '_until_[0-9]+$')
      loop
        execute format('alter table %I drop constraint %I', part.parent, name);
      end loop;
    end loop;
  end $$`

/** The same definitions as before, so that those of the first partition are taken as they are. */
const INDEXES = [
  'create index token_by_parent on token (parent_jti) where parent_jti is not null',
  'create index token_by_client on token (client_id, agent_id, expires_at)',
  'create index token_by_expiry on token (expires_at)',
  'create index token_by_workflow on token (client_id, workflow_id, expires_at) where workflow_id is not null',
  'create index token_by_execution on token (execution_id, issued_at) where execution_id is not null',
  'create index token_by_delegation on token (delegation_id) where delegation_id is not null',
  'alter table audit_event add primary key (id)',
  'create index audit_event_by_client on audit_event (client_id, id)',
  'create index audit_event_by_agent on audit_event (client_id, agent_id, id) where agent_id is not null',
  'create index audit_event_by_jti on audit_event (jti) where jti is not null',
  'create index audit_event_by_reason on audit_event (reason, id) where reason is not null',
  'create index audit_event_by_execution on audit_event (execution_id, id) where execution_id is not null',
]

/** Attaches a table as the range [lower, upper) of another; null: without an end on that side. */
const ATTACH = `create function remit_attach_partition(parent text, part text, lower text, upper text) returns void
  language plpgsql as $$
  begin
    execute format('alter table %I attach partition %I for values from (%s) to (%s)', parent, part,
      coalesce(quote_literal(lower), 'minvalue'), coalesce(quote_literal(upper), 'maxvalue'));
  end $$`

/**
 * Makes a partition beside its table and then attaches it: unlike "partition of", that lets everybody go on writing.
 * Nothing reads claims but their primary key, and they are dropped within the hour: no vacuum.
 */
const ADD = `create function remit_add_partition(parent text, part text, lower text, upper text) returns void
  language plpgsql as $$
  begin
    execute format('create table %I (like %I including all)', part, parent);
    case parent
      when 'replay' then
        execute format('alter table %I add primary key (kind, owner, jti)', part);
        execute format('alter table %I set (autovacuum_enabled = false, toast.autovacuum_enabled = false)', part);
      when 'token' then
        execute format('alter table %I add primary key (jti)', part);
      else null;
    end case;
    perform remit_attach_partition(parent, part, lower, upper);
  end $$`

/** Where nothing was ever written, nothing is kept: the server makes its partitions before it listens. */
const ATTACH_WHAT_WAS = `do $$
  declare
    part record;
    ends_hex text;
    name text;
  begin
    for part in
      select parent, substring(conname from '[0-9]+$')::bigint as ends_at, conname
        from (values ('replay'), ('token'), ('audit_event')) as t (parent)
        left join pg_constraint on conrelid = (parent || '_before')::regclass
          and conname ~ ('^' || parent || '_until_[0-9]+$')
    loop
      if part.ends_at is null then
        execute format('drop table %I', part.parent || '_before');
        continue;
      end if;
      name := part.parent || '_min_' || part.ends_at;
      execute format('alter table %I rename to %I', part.parent || '_before', name);
      ends_hex := lpad(to_hex(part.ends_at * 1000), 12, '0');
      perform remit_attach_partition(part.parent, name, null, case part.parent
        when 'audit_event' then left(ends_hex, 8) || '-' || right(ends_hex, 4) || '-7000-8000-000000000000'
        else to_timestamp(part.ends_at)::text end);
      execute format('alter table %I drop constraint %I', name, part.conname);
    end loop;
  end $$`

export async function up(db: Kysely<unknown>): Promise<void> {
  await takeGently(db, ['replay', 'token', 'audit_event'])
  for (const statement of [FIRST_CLAIMS, SET_ASIDE, ...INDEXES, ATTACH, ADD, ATTACH_WHAT_WAS]) {
    await sql.raw(statement).execute(db)
  }
}
