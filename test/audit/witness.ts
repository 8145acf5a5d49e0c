import assert from 'node:assert/strict'
import type { AuditRowView } from '../../src/protocol/audit-views.ts'
import { agentSubject } from '../../src/protocol/names.ts'
import { type Answer, type Attempt, send } from '../attacks/attempt.ts'
import type { World } from '../attacks/given.ts'
import type { Call } from './given.ts'

const COLUMNS = [
  ...['at', 'action', 'outcome', 'reason', 'actor', 'client_id', 'agent_id', 'execution_id', 'jti'],
  ...['request_id', 'address'],
] as const
/** Of the details, who acted by which right; null where a row says nothing of it. */
const SAID = ['caller', 'acting_owner', 'via'] as const

/** Whose act an act is. */
export type Person = { readonly call: Call; readonly client_id: string; readonly owner: string }
type Sent = readonly [method: string, path: string, body?: object]
/** What an act must say beside who did it; `execution_id` and `reason` where there is one. */
export type Acted = {
  readonly action: string
  readonly reason?: string
  readonly client_id?: string
  readonly agent_id?: string
  readonly execution_id?: string
  readonly via?: string
}
/** `actor` where a token speaks for another than its agent: who began the chain. */
export type About = { readonly agent_id?: string; readonly execution_id?: string; readonly actor?: string }
/** What the witness writes down of one request: the row that must be there, whoever wrote it. */
export type Seen = Readonly<Record<string, unknown>>
export type Counted = { endpoint: string; reason: string; address: string; n: number }

const HERE = '127.0.0.1'
const NOBODY = {
  ...{ outcome: 'success', reason: null, client_id: null, agent_id: null, execution_id: null, jti: null },
  ...{ address: HERE, caller: null, acting_owner: null, via: null },
}

/** Every column of a row but its id and hash, which the export verifies, and who acted as the details have it. */
export function seenIn(row: AuditRowView): Seen {
  const columns = new Map(Object.entries(row))
  const details = new Map(Object.entries(row.details))
  const members = [
    ...COLUMNS.map(name => [name, columns.get(name)]),
    ...SAID.map(name => [name, details.get(name) ?? null]),
  ]
  return Object.fromEntries(members)
}

export type Witness = ReturnType<typeof createWitness>

/**
 * Sends requests and writes down what each must leave in the trail, from what was sent and answered alone. The clock
 * stands still during a request, so that the instant of its row is known to the millisecond.
 */
export function createWitness(world: World) {
  const { app } = world
  const seen: Seen[] = []
  const expectedCounts: (readonly Counted[])[] = []
  let counted = new Map<string, Counted>()

  function write(row: Seen): void {
    seen.push({ ...NOBODY, at: app.clock.now().toISOString(), ...row })
    // Rows of one millisecond have no order among themselves.
    app.clock.advance(1)
  }

  function countRefusal(endpoint: string, reason: string): void {
    const key = `${endpoint} ${reason}`
    counted.set(key, { endpoint, reason, address: HERE, n: (counted.get(key)?.n ?? 0) + 1 })
  }

  async function mint(attempt: Attempt, known: About | ((answer: Answer) => About) = {}): Promise<Answer> {
    const answer = await send(world, attempt)
    assert.equal(answer.status, 200, answer.text)
    const about = typeof known === 'function' ? known(answer) : known
    const { client_id } = attempt.client
    const actor = about.agent_id === undefined ? client_id : agentSubject(client_id, about.agent_id)
    write({ action: 'token.issue', actor, client_id, ...about, jti: jtiOf(answer), request_id: requestId(answer) })
    return answer
  }

  /** A refused caller has not shown to be its agent: the row is the client's. */
  async function refuse(attempt: Attempt, reason: string, about: About = {}): Promise<Answer> {
    const answer = await send(world, attempt)
    assert.ok(answer.status >= 400, answer.text)
    const { client_id } = attempt.client
    const row = { action: 'token.issue', outcome: 'refused', reason, actor: client_id, client_id }
    write({ ...row, ...about, request_id: requestId(answer) })
    return answer
  }

  async function unheard(attempt: Attempt, reason: string): Promise<void> {
    assert.ok((await send(world, attempt)).status >= 400)
    countRefusal(attempt.path, reason)
  }

  /** One call of our own APIs, with a body unless it is a read. */
  async function act(
    by: Person,
    [method, path, body]: Sent,
    expected: Acted | ((body: Record<string, unknown>) => Acted),
  ) {
    const answer = await by.call(method, path, body)
    const { reason = null, ...about } = typeof expected === 'function' ? expected(answer.body) : expected
    assert.equal(answer.status < 400, reason === null, JSON.stringify(answer.body))
    const who = { actor: by.client_id, client_id: by.client_id, caller: by.client_id, acting_owner: by.owner }
    const outcome = reason === null ? 'success' : 'refused'
    write({ ...who, ...about, outcome, reason, request_id: answer.request_id })
    return answer.body
  }

  /** As maintenance does each second. */
  async function flush(): Promise<void> {
    await world.ctx.unauthenticated.flush(world.ctx)
    if (counted.size === 0) return
    const nobody = { actor: 'unauthenticated', address: null, request_id: '' }
    write({ action: 'request.refuse', outcome: 'refused', reason: 'unauthenticated', ...nobody })
    expectedCounts.push([...counted.values()])
    counted = new Map()
  }

  return { seen, expectedCounts, write, countRefusal, mint, refuse, unheard, act, flush }
}

export function requestId({ headers }: Answer): string {
  return String(headers['x-request-id'])
}

export function jtiOf(answer: Answer): string {
  const payload = String(answer.body.access_token).split('.')[1] ?? ''
  return String(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')).jti)
}
