import { z } from 'zod'
import { CLOCK_SKEW, epochSeconds } from '../protocol/time.ts'
import type { ReplayCache } from './replay-cache.ts'

/** What of a database is needed: a Pool of `pg` has it. */
export type Queryable = {
  readonly query: (text: string, values: unknown[]) => Promise<{ readonly rows: readonly unknown[] }>
}

export type PostgresReplayCacheOptions = { readonly now?: () => Date }

/** Run it once, as whoever owns the tables of the API. After a crash that loses it every proof could be used again. */
export const POSTGRES_REPLAY_TABLE = `create table if not exists remit_used_proof (
  jkt text collate "C" not null,
  jti text collate "C" not null,
  expires_at bigint not null,
  primary key (jkt, jti)
);
create index if not exists remit_used_proof_expires_at on remit_used_proof (expires_at);`

/**
 * The insert alone decides, and in the same round trip a few rows that nobody needs any more go: more than come in, so
 * the table stays as small as one minute of calls.
 */
const CLAIM = `with stale as (
  delete from remit_used_proof where (jkt, jti) in (
    select jkt, jti from remit_used_proof where expires_at < $4 order by expires_at limit 4 for update skip locked
  ) returning expires_at
), taken as (
  insert into remit_used_proof (jkt, jti, expires_at) values ($1, $2, $3) on conflict do nothing returning jti
)
select (select count(*) from taken)::int as taken, (select max(expires_at) from stale)::float8 as gone`
const answerSchema = z.tuple([z.object({ taken: z.int(), gone: z.number().nullable() })])

/** Nodes judge proofs by their own clocks: a row outlives its proof by more than these may differ. */
const CLOCKS_APART = 6 * CLOCK_SKEW

/**
 * Remembers used proofs in a table that all nodes of an API share: `POSTGRES_REPLAY_TABLE`. Their clocks must agree within
 * a minute: a row goes by the clock of whichever node takes the next proof.
 */
export function postgresReplayCache(database: Queryable, options: PostgresReplayCacheOptions = {}): ReplayCache {
  const now = options.now ?? (() => new Date())
  /** The latest end of a row that went: a clock that is set back must bring no proof of before to life again. */
  let gone = Number.NEGATIVE_INFINITY
  return {
    async claim({ jkt, jti, expires_at }) {
      if (expires_at <= gone) return false
      const stale = epochSeconds(now()) - CLOCKS_APART
      const [answer] = answerSchema.parse((await database.query(CLAIM, [jkt, jti, expires_at, stale])).rows)
      gone = Math.max(gone, answer.gone ?? gone)
      return answer.taken === 1
    },
  }
}
