import { randomFillSync } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import type { UnauthenticatedCounter } from './audit/unauthenticated.ts'
import type { Config } from './config.ts'
import type { RemoteKeys } from './fetch/remote-keys.ts'
import type { Keyring } from './keys/keyring.ts'
import type { Sealer } from './keys/sealing.ts'
import type { Limits } from './limits.ts'
import type { Metrics } from './metrics.ts'
import type { NodeHealth } from './node-health.ts'
import type { GroupCommit } from './store/group-commit.ts'
import type { Database } from './store/schema.ts'
import type { Meeting } from './store/together.ts'
import type { RecordCache } from './token/known-records.ts'

/** What every function of the server gets: the only way to configuration, storage, keys, time and chance. */
export type Context = {
  readonly config: Config
  readonly db: Kysely<Database>
  /** The connections of the token endpoints. */
  readonly passDb: Kysely<Database>
  /** Pools of their own for what may be slow, so that minting finds a connection meanwhile. */
  readonly pools: { readonly registration: Kysely<Database>; readonly administration: Kysely<Database> }
  readonly keys: Keyring
  /** Joins the writes of token requests that wait. */
  readonly commits: GroupCommit
  /** Set inside what several requests do together. */
  readonly meeting?: Meeting | undefined
  readonly records: RecordCache
  readonly sealer: Sealer
  readonly metrics: Metrics
  readonly limits: Limits
  readonly unauthenticated: UnauthenticatedCounter
  /** Whether this process should get traffic, and may mint. */
  readonly node: NodeHealth
  /** Keys that clients publish at URLs of their own. */
  readonly remoteKeys: RemoteKeys
  /** Epoch seconds: nothing signed before is taken, because a restore forgot what was used since its backup. */
  readonly notBefore: number
  readonly log: Logger
  readonly now: () => Date
  /** 128 random bits, base64url. */
  readonly randomId: () => string
  /** UUID of version 7 (RFC 9562 section 5.7) of an instant, now by default: sorts by it, for rows only ever appended. */
  readonly timeId: (at?: Date) => string
}

export function systemClock(): Date {
  return new Date()
}

/** Milliseconds that only ever go on, whatever the clock is set to. */
export function monotonicClock(): number {
  return performance.now()
}

export function randomId(): string {
  return randomBytes(16).toString('base64url')
}

const random = Buffer.alloc(4096)
let used = random.length

/** Of the system's generator, asked for many at once: each byte is given out once, and forgotten. */
function randomBytes(size: number): Buffer {
  if (used + size > random.length) {
    randomFillSync(random)
    used = 0
  }
  const given = Buffer.from(random.subarray(used, used + size))
  random.fill(0, used, used + size)
  used += size
  return given
}

export function timeIdAt(now: Date, random: Buffer = randomBytes(10)): string {
  const bytes = Buffer.alloc(16)
  bytes.writeUIntBE(now.getTime(), 0, 6)
  random.copy(bytes, 6)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** Runs `fn` in one READ COMMITTED transaction; its context writes and reads inside it. A throw rolls back. */
export async function transaction<T>(ctx: Context, fn: (tx: Context) => Promise<T>): Promise<T> {
  return await ctx.db
    .transaction()
    .setIsolationLevel('read committed')
    .execute(db => fn({ ...ctx, db, meeting: undefined }))
}
