import { type Kysely, sql } from 'kysely'

/*
 * The second step: reads both tables once, however large, while everybody goes on reading and writing them.
 */
const CHECKS = `do $$
  declare bound record;
  begin
    for bound in
      select conrelid::regclass as of_table, conname from pg_constraint
        where conrelid in ('token'::regclass, 'audit_event'::regclass)
          and conname ~ '^(token|audit_event)_until_[0-9]+$' and not convalidated
    loop
      execute format('alter table %s validate constraint %I', bound.of_table, bound.conname);
    end loop;
  end $$`

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHECKS).execute(db)
}
