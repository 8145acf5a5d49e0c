import * as z from 'zod/mini'
import { get, query } from './api.ts'
import type { Shape } from './shapes.ts'

const PAGE = 200
/** Beyond this many rows a list is searched with the command line. */
const MOST = 2_000

export type Whole<T> = { readonly items: readonly T[]; readonly more: boolean }

export function listOf<T>(item: Shape<T>) {
  return z.object({ items: z.array(item), next_cursor: z.nullable(z.string()) })
}

/** All pages of a list, up to a bound. Throws `RequestFailed`. */
export async function getAll<T>(
  path: string,
  item: Shape<T>,
  signal?: AbortSignal,
  filter: Readonly<Record<string, string>> = {},
): Promise<Whole<T>> {
  const items: T[] = []
  let cursor: string | null = null
  do {
    const asked = query({ ...filter, limit: String(PAGE), cursor: cursor ?? undefined })
    const page: { items: T[]; next_cursor: string | null } = await get(path + asked, listOf(item), signal)
    items.push(...page.items)
    cursor = page.next_cursor
  } while (cursor !== null && items.length < MOST)
  return { items, more: cursor !== null }
}
