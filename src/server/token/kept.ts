import { rememberLast } from '../../protocol/remember-last.ts'
import type { Context } from '../context.ts'
import type { Versioned } from '../store/records.ts'

/** Records of a kind that are kept: so many agents are at work at once at a node, and not so many registered. */
const KEPT_RECORDS = 4096
/** Of those that may be large: a definition of a workflow takes up to 150 KB. */
export const KEPT_LARGE = 512
/** Long before the database counts its transactions round, and a version could come again. */
const KEPT_SECONDS = 600

type Kept<T> = { readonly record: Versioned<T> | undefined; readonly until: number }

type Keeping<Key, T> = {
  readonly absent?: boolean
  readonly most?: number
  readonly assumed?: (key: Key) => T | undefined
}

/** A record, and whether it came from memory; with `fresh` it never does. */
export type Keeper<Key, T> = (
  ctx: Context,
  key: Key,
  fresh: boolean,
) => Promise<{ readonly record: Versioned<T> | undefined; readonly kept: boolean }>

/**
 * Keeps the records of one kind that were used last. `absent`: that there is no row is kept too. Elsewhere names of
 * nothing would push out those of something. `assumed`: what is taken for kept while nothing is, instead of a reading,
 * where there is something to assume; only for what the write reads in any case, and judges by.
 */
export function keep<Key, T>(
  read: (ctx: Context, key: Key) => Promise<Versioned<T> | undefined>,
  nameOf: (key: Key) => string,
  { absent = false, most = KEPT_RECORDS, assumed }: Keeping<Key, T> = {},
): Keeper<Key, T> {
  const known = new Map<string, Kept<T>>()
  return async (ctx, key, fresh) => {
    const name = nameOf(key)
    const now = ctx.now().getTime()
    const found = known.get(name)
    const isGood = found !== undefined && !fresh && found.until > now
    const value = isGood || fresh ? undefined : assumed?.(key)
    if (value !== undefined) return { record: { value, version: '' }, kept: true }
    const record = isGood ? found.record : await read(ctx, key)
    if (record || absent) {
      rememberLast(known, name, isGood ? found : { record, until: now + KEPT_SECONDS * 1000 }, most)
    } else {
      known.delete(name)
    }
    return { record, kept: isGood }
  }
}
