import { type Kysely, sql } from 'kysely'
import { takeGently } from './take-gently.ts'

/*
 * The first of three steps to partitions. What there is becomes the first partition of its table, so it needs an end in
 * time. Here only the rule is written, which takes no time; the next step looks whether it holds, while everybody goes on
 * writing; the last one then need not look any more. The end lies a week ahead, so that a node of the release before,
 * which makes no partitions, goes on however long the steps take. It is the one thing here that is reckoned from the
 * database's clock: nothing else knows the time in a migration, and no record keeps it.
 */
const BOUNDS = `do $$
  declare
    newest numeric;
    ends_at bigint;
    ends_hex text;
  begin
    -- A server's first act is the canary: without it nothing was ever written.
    if not exists (select from sealing_canary) then return; end if;

    select coalesce(extract(epoch from max(expires_at)), 0) into newest from token;
    ends_at := ceil(greatest(newest + 1, extract(epoch from clock_timestamp()) + 7 * 86400) / 86400) * 86400;
    execute format('alter table token add constraint %I check (expires_at < %L) not valid',
      'token_until_' || ends_at, to_timestamp(ends_at));

    -- An id begins with its time in milliseconds.
    select coalesce((select ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000
      from audit_event order by id desc limit 1), 0) into newest;
    ends_at := ceil(greatest(newest + 1, extract(epoch from clock_timestamp()) + 7 * 86400) / 86400) * 86400;
    ends_hex := lpad(to_hex(ends_at * 1000), 12, '0');
    execute format('alter table audit_event add constraint %I check (id < %L) not valid',
      'audit_event_until_' || ends_at, left(ends_hex, 8) || '-' || right(ends_hex, 4) || '-7000-8000-000000000000');
  end $$`

export async function up(db: Kysely<unknown>): Promise<void> {
  await takeGently(db, ['token', 'audit_event'])
  await sql.raw(BOUNDS).execute(db)
}
