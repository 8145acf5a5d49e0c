import { type Kysely, sql } from 'kysely'

/**
 * Takes tables for a change of their definition without making anybody fail: whoever writes to them waits behind the one
 * who asks for this lock, so that it is asked for 200 ms, let go, and asked for again a moment later, for up to five
 * minutes. What holds it off so long is a backup or a report that reads for as long.
 */
export async function takeGently(db: Kysely<unknown>, tables: readonly string[]): Promise<void> {
  await sql
    .raw(
      `do $$ begin
        set local lock_timeout = '200ms';
        for attempt in 1..300 loop
          begin
            lock table ${tables.join(', ')} in access exclusive mode;
            set local lock_timeout = '60s';
            return;
          exception when lock_not_available then
            perform pg_sleep(0.8);
          end;
        end loop;
        raise lock_not_available using message =
          'Somebody has been reading ${tables.join(', ')} for five minutes: wait for the backup or the report to end.';
      end $$`,
    )
    .execute(db)
}
