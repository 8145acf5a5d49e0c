import { hash } from 'node:crypto'
import { APP, type BenchAgent } from './estate.ts'
import { generateSigningKey, type SigningKey } from './load/signer.ts'
import type { RemitPeer } from './peers/remit.ts'

/** Rows a statement: none of them holds locks or memory for long. */
const CHUNK = 50_000
const PREFIX = 'agent-'

/** The checksum of a seeded agent: one of its own, as real agents have, since their names enter it. */
const CHECKSUM = `encode(sha256(convert_to('checksum of ${PREFIX}' || n, 'UTF8')), 'hex')`
const DIGEST = `rtrim(translate(encode(sha256(convert_to('key of ${PREFIX}' || n, 'UTF8')), 'base64'), '+/', '-_'), '=')`

/**
 * Registers `count` agents in the database itself: of each table the row that the registration of the agent `template`
 * wrote, with names, identifiers, checksum and key of its own. `sampled` of them, evenly spread, have real keys and are
 * returned in an order of chance; the keys of the others are none that anybody could sign with.
 */
export async function seedAgents(
  { query }: RemitPeer,
  template: string,
  { count, sampled }: { readonly count: number; readonly sampled: number },
): Promise<readonly BenchAgent[]> {
  const step = count / sampled
  const keys = Array.from({ length: sampled }, generateSigningKey)
  for (let from = 0; from < count; from += CHUNK) {
    const range = [APP, template, from, Math.min(from + CHUNK, count) - 1]
    await query(copies('agent', ''), range)
    await query(copies('registration', `'registration_id', 'reg_' || n, 'checksum', ${CHECKSUM},`), range)
    const others = `'jkt', ${DIGEST}, 'jwk', jsonb_build_object('kty', 'EC', 'crv', 'P-256', 'x', ${DIGEST}, 'y', ${DIGEST}),`
    await query(`${copies('agent_key', others)} and n % $5 <> 0`, [...range, step])
  }
  for (let from = 0; from < sampled; from += CHUNK) {
    await query(REAL_KEYS, [APP, template, from, step, keys.slice(from, from + CHUNK).map(rowOf)].map(asJson))
  }
  await query('vacuum (analyze) agent, registration, agent_key')
  await query('checkpoint')
  const agents = keys.map((key, index) => {
    const agent_id = `${PREFIX}${index * step}`
    return { agent_id, checksum: hash('sha256', `checksum of ${agent_id}`, 'hex'), key }
  })
  return shuffled(agents)
}

/** Names no column that it does not change, so that rows are what registration writes, whatever that is. */
function copies(table: string, changes: string): string {
  return `insert into ${table} select changed.* from ${table} as template
    cross join generate_series($3::integer, $4::integer) as n
    cross join lateral jsonb_populate_record(template, jsonb_build_object(${changes} 'agent_id', '${PREFIX}' || n)) as changed
    where template.client_id = $1 and template.agent_id = $2`
}

const REAL_KEYS = `insert into agent_key select changed.* from agent_key as template
  cross join jsonb_array_elements($5::jsonb) with ordinality as given (key, place)
  cross join lateral jsonb_populate_record(template, given.key ||
    jsonb_build_object('agent_id', '${PREFIX}' || ($3::integer + place - 1) * $4::integer)) as changed
  where template.client_id = $1 and template.agent_id = $2`

function rowOf({ kid, publicJwk }: SigningKey) {
  return { jkt: kid, jwk: publicJwk }
}

function asJson(value: unknown): unknown {
  return typeof value === 'object' ? JSON.stringify(value) : value
}

/** Fisher and Yates, with the arithmetic of `arrivals`: the same order in each run. */
function shuffled<T>(values: readonly T[]): readonly T[] {
  const order = [...values]
  let state = 1
  for (let last = order.length - 1; last > 0; last -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const other = Math.floor((state / 2 ** 32) * (last + 1))
    const [a, b] = [order[last], order[other]]
    if (a === undefined || b === undefined) throw new Error('Both are in the list.')
    order[last] = b
    order[other] = a
  }
  return order
}
