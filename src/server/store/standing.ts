import { type RawBuilder, sql } from 'kysely'
import type { Context } from '../context.ts'
import type { RevocationRef } from './revocations.ts'
import { together } from './together.ts'
import { isAssigned } from './workflows.ts'

/** A record as it was read: it has not changed while its row has this version; null: there was no row. */
export type RecordRef = {
  /** `assignment`: whether a workflow assigns the agent, `yes` or `no`. */
  readonly kind:
    | 'client'
    | 'resource'
    | 'agent'
    | 'registration'
    | 'agent_key'
    | 'workflow'
    | 'assignment'
    | 'trusted_issuer'
  readonly id: string
  /** The second half of a key that has two. */
  readonly part?: string
  readonly version: string | null
  /** Of a version that drains. */
  readonly until?: Date | null
}

/** What a mint rests on, read again inside the write (protocol.md section 9). */
export type Standing = {
  readonly records: readonly RecordRef[]
  readonly refs: readonly RevocationRef[]
  readonly now: Date
}

/** What does not hold any more of what was decided a moment ago. */
export type Lost = {
  readonly changed: boolean
  /** What an entry matches, the oldest entry first. */
  readonly revoked: readonly RevocationRef[]
}

type Changed = { kind: string; id: string; part: string; version: string | null }
/** `seq`: of an entry that revokes; null: a record that has changed. */
type Row = Changed & { seq: string | null }

const LAPSE = 10

/**
 * What of this changed or was revoked since it was read. Only behind the gate: then no revocation that has answered is
 * missed. One statement for all requests of a batch (primary keys; index revocation_standing).
 */
export const lapseOf = together(LAPSE, async (tx: Context, asked: readonly Standing[]) => {
  const records = [...new Map(asked.flatMap(one => one.records).map(ref => [keyOf(ref), ref])).values()]
  const refs = [...new Map(asked.flatMap(one => one.refs).map(ref => [`${ref.kind}|${ref.id}`, ref])).values()]
  // The earliest of their clocks, so that no entry has ended for one before it has for the other.
  const now = new Date(Math.min(...asked.map(one => one.now.getTime())))
  const present = new Set(records.map(ref => ref.kind))
  const changed = KINDS.filter(([kind]) => present.has(kind)).map(kind => sql`${changedOf(records, kind)} union all `)
  const { rows } = await sql<Row>`
    ${sql.join(changed, sql``)}
    select asked.kind, asked.id, '' as part, null as version, first.seq
      from unnest(${refs.map(ref => ref.kind)}::text[], ${refs.map(ref => ref.id)}::text[]) as asked(kind, id)
        cross join lateral (
          select min(seq) as seq from revocation
            where kind = asked.kind and id = asked.id and lifted_at is null and ends_at > ${now}
            group by kind, id) as first
    order by seq limit ${records.length + refs.length}`.execute(tx.db)
  const lost = new Set(rows.filter(row => row.seq === null).map(keyOf))
  const revoked = rows.filter(row => row.seq !== null)
  return asked.map((one): Lost => {
    const changed = one.records.some(ref => lost.has(keyOf(ref)) || (ref.until && ref.until <= one.now))
    return { changed, revoked: revokedOf(one.refs, revoked) }
  })
})

function revokedOf(refs: readonly RevocationRef[], revoked: readonly Row[]): readonly RevocationRef[] {
  return revoked.flatMap(row => refs.find(ref => ref.kind === row.kind && ref.id === row.id) ?? [])
}

const own = (column: 'id' | 'part') => sql.ref(`asked.${column}`)

/** Each kind, and how the version of such a record is read now. */
const KINDS: readonly (readonly [kind: RecordRef['kind'], name: RawBuilder<unknown>, version: RawBuilder<unknown>])[] =
  [
    ['client', sql`'client'`, sql`(select xmin::text from client where client_id = asked.id)`],
    ['resource', sql`'resource'`, sql`(select xmin::text from resource where resource = asked.id)`],
    ['agent', sql`'agent'`, sql`(select xmin::text from agent where client_id = asked.id and agent_id = asked.part)`],
    ['registration', sql`'registration'`, sql`(select xmin::text from registration where registration_id = asked.id)`],
    ['agent_key', sql`'agent_key'`, sql`(select xmin::text from agent_key where jkt = asked.id)`],
    [
      'workflow',
      sql`'workflow'`,
      sql`(select xmin::text from workflow where client_id = asked.id and workflow_id = asked.part)`,
    ],
    ['trusted_issuer', sql`'trusted_issuer'`, sql`(select xmin::text from trusted_issuer where name = asked.id)`],
    ['assignment', sql`'assignment'`, sql`case when ${isAssigned(own('id'), own('part'))} then 'yes' else 'no' end`],
  ]

function changedOf(records: readonly RecordRef[], [kind, name, version]: (typeof KINDS)[number]) {
  const refs = records.filter(ref => ref.kind === kind)
  const ids = refs.map(ref => ref.id)
  const parts = refs.map(ref => ref.part ?? '')
  const versions = refs.map(ref => ref.version)
  return sql`select ${name} as kind, asked.id, asked.part, asked.version, null::bigint as seq
    from unnest(${ids}::text[], ${parts}::text[], ${versions}::text[]) as asked(id, part, version)
    where ${version} is distinct from asked.version`
}

function keyOf({ kind, id, part = '', version }: RecordRef | Changed): string {
  // None of them has a line break: names, resources and identifiers of ours.
  return `${kind}\n${id}\n${part}\n${version}`
}
