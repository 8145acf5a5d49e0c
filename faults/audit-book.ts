import type { JsonObject } from '../src/protocol/json.ts'
import type { RemitNode } from './node.ts'
import { expect, objectsIn, type Party } from './party.ts'

/** What a run's witness and its audit trail say of the tokens in it. */
export type Entry = {
  readonly run: string
  readonly witnessed: number
  readonly missing: number
  readonly doubled: number
}

/** Of every run that kills something: was each acknowledged token recorded, once? (reliability.md R9) */
export class AuditBook {
  readonly entries: Entry[] = []

  /** Compares the tokens that a run saw acknowledged with its audit trail. */
  async compare(run: string, jtis: readonly string[], trail: readonly JsonObject[]): Promise<Entry> {
    const rows = countBy(trail, row => {
      return row.action === 'token.issue' && row.outcome === 'success' ? String(row.jti) : undefined
    })
    const missing = jtis.filter(jti => !rows.has(jti)).length
    const doubled = jtis.filter(jti => (rows.get(jti) ?? 0) > 1).length
    const entry = { run, witnessed: jtis.length, missing, doubled }
    this.entries.push(entry)
    return entry
  }
}

/** The whole audit trail, oldest first, through the API. */
export async function readTrail(node: RemitNode, auditor: Party): Promise<readonly JsonObject[]> {
  const rows: JsonObject[] = []
  for (let after = '00000000-0000-0000-0000-000000000000'; ; ) {
    const page = expect(await auditor.administer(node, `/audit?limit=1000&after=${after}`), 200)
    const items = objectsIn(page.items)
    rows.push(...items)
    if (items.length === 0 || typeof page.next_cursor !== 'string') return rows
    after = page.next_cursor
  }
}

/** How many of them have each name; those without one are left out. */
export function countBy<T>(items: readonly T[], nameOf: (item: T) => string | undefined): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) {
    const name = nameOf(item)
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}
