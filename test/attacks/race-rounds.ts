import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import { LIMITS_DEFAULT } from '../../src/protocol/execution.ts'
import { agentSubject } from '../../src/protocol/names.ts'
import { workflowRegistrationSchema } from '../../src/protocol/workflow.ts'
import type { Database } from '../../src/server/store/schema.ts'
import { forge } from '../protocol/forge.ts'
import type { Answer } from './attempt.ts'
import { thumbprint } from './given.ts'
import { API, type GateAgent } from './inserted.ts'
import type { Asked, NodeName, Stopped, TwoNodes } from './two-nodes.ts'

const STEP = 'work'
/** Rows a statement. */
const BATCH = 200
/** Seconds, longer than all rounds take. */
const LIFE = 900

type Mint = (node: NodeName) => Promise<Answer>

/** What a revoke or a suspension covers, and mints that it races: `mint` prepares one more. */
export type Race = {
  readonly name: string
  readonly stop: Stopped
  /** What it is answered, and then the mints. */
  readonly answers: { readonly stop: number; readonly mint: number }
  /** Tokens that are there for sure: every second round has one. */
  readonly before: readonly string[]
  readonly mint: () => Mint
}

type Of = 'plain' | 'recorded' | 'delegated' | 'delegated in an execution'
/** Every kind that there is (protocol.md section 9), and the suspension of an agent. */
type Kind = 'token' | 'registration' | 'agent' | 'client' | 'execution' | 'workflow' | 'initiator' | 'key' | 'suspend'

/** What is minted, and by what it is stopped: round after round another. */
const RACES: readonly (readonly [Of, Kind])[] = [
  ['plain', 'agent'],
  ['recorded', 'execution'],
  ['delegated', 'token'],
  ['recorded', 'workflow'],
  ['delegated in an execution', 'execution'],
  ['plain', 'initiator'],
  ['delegated', 'agent'],
  ['recorded', 'initiator'],
  ['delegated in an execution', 'token'],
  ['recorded', 'agent'],
  ['delegated', 'initiator'],
  ['plain', 'registration'],
  ['recorded', 'key'],
  ['delegated', 'suspend'],
  ['plain', 'client'],
  ['delegated in an execution', 'registration'],
  ['plain', 'key'],
  ['recorded', 'suspend'],
  ['delegated', 'key'],
  ['recorded', 'registration'],
  ['plain', 'suspend'],
  ['recorded', 'client'],
  ['delegated in an execution', 'agent'],
]

/** Whoever revokes a client needs one that no other round has. */
export function clientOfRound(round: number): string {
  return RACES[round % RACES.length]?.[1] === 'client' ? `app-of-round-${round}` : 'app'
}

/** Whose race this round is. Each agent has a workflow and an open execution; what it delegates goes to `helper`. */
export async function prepareRace(nodes: TwoNodes, agent: GateAgent, helper: GateAgent, round: number): Promise<Race> {
  const [of, kind] = RACES[round % RACES.length] ?? ['plain', 'agent']
  const inExecution = of === 'recorded' || of === 'delegated in an execution'
  const { workflow_id, execution_id, parent_jti } = namesOf(agent, inExecution)
  const { client_id, agent_id } = agent
  const name = `${client_id}/${agent_id}`
  const ids = {
    ...{ agent: name, suspend: name, client: client_id, registration: `reg_${agent_id}` },
    ...{ initiator: agentSubject(client_id, agent_id), key: await thumbprint(agent.key) },
    ...{ token: parent_jti, execution: execution_id, workflow: `${client_id}/${workflow_id}` },
  }
  const opens: Asked = inExecution ? { workflow_id, workflow_step: STEP } : {}
  const joins: Asked = inExecution ? { ...opens, execution_id } : {}
  const mint = await minting(nodes, { of, kind, agent, helper, opens, joins, parent_jti })
  const before = round % 2 === 0 ? [await tokenBefore(mint)] : []
  const answers = { stop: kind === 'suspend' ? 200 : 201, mint: kind === 'client' ? 401 : 400 }
  return { name: `${of}, by ${kind}`, stop: { kind, id: ids[kind] }, answers, before, mint }
}

type Minting = {
  readonly of: Of
  readonly kind: Kind
  readonly agent: GateAgent
  readonly helper: GateAgent
  readonly opens: Asked
  readonly joins: Asked
  readonly parent_jti: string
}

async function minting(
  nodes: TwoNodes,
  { of, kind, agent, helper, opens, joins, parent_jti }: Minting,
): Promise<() => Mint> {
  if (of === 'plain') return () => nodes.prepareMint(agent)
  if (of === 'recorded') {
    // What revokes more than one execution races also what opens another.
    let joined = false
    return () => {
      joined = !joined || kind === 'execution'
      return nodes.prepareMint(agent, joined ? joins : opens)
    }
  }
  const { issuer } = nodes
  const delegation_assertion = await assertionFor(issuer, { agent, helper, parent_jti, ...joins })
  return () => nodes.prepareMint(helper, { ...joins, delegation_assertion })
}

/** There is one for sure, also on a machine that is too busy for the first attempts. */
async function tokenBefore(mint: () => Mint): Promise<string> {
  let answer = await mint()('two')
  for (let attempt = 1; answer.status === 503 && attempt < 10; attempt += 1) answer = await mint()('two')
  assert.equal(answer.status, 200, answer.text)
  return String(answer.body.access_token)
}

async function assertionFor(
  issuer: string,
  of: Pick<Minting, 'agent' | 'helper' | 'parent_jti'> & { readonly execution_id?: string },
): Promise<string> {
  const { agent, helper, parent_jti, execution_id } = of
  const iat = Math.floor(Date.now() / 1000)
  const { alg, jwk } = agent.key
  const claims = {
    ...{ iss: agentSubject('app', agent.agent_id), sub: agentSubject('app', helper.agent_id), aud: issuer },
    ...{ parent_jti, jkt: await thumbprint(helper.key), scope: 'read', resource: [API] },
    ...(execution_id !== undefined && { execution_id }),
    ...{ iat, exp: iat + 600, jti: randomUUID() },
  }
  return forge({ typ: 'delegation+jwt', alg, jwk }, claims, agent.key)
}

function namesOf({ agent_id }: GateAgent, inExecution: boolean) {
  const suffix = Buffer.from(agent_id.padStart(16, '-')).toString('base64url')
  return {
    workflow_id: `flow-of-${agent_id}`,
    execution_id: `exe_${suffix}`,
    parent_jti: `${inExecution ? 'in-execution' : 'plain'}-token-of-${agent_id}`,
  }
}

/**
 * For each agent a workflow of one step, an open execution that has entered it, and two tokens to delegate from, in the
 * execution and outside, as if each had been registered and minted.
 */
export async function insertRaces(db: Kysely<Database>, agents: readonly GateAgent[]): Promise<void> {
  for (let at = 0; at < agents.length; at += BATCH) {
    const batch = agents.slice(at, at + BATCH)
    await insertWorkflows(db, batch)
    await insertExecutions(db, batch)
    await insertParents(db, batch)
  }
}

async function insertWorkflows(db: Kysely<Database>, agents: readonly GateAgent[]): Promise<void> {
  const now = new Date()
  const made = { version: 1, status: 'active' as const }
  const by = { registered_at: now, registered_by: 'test', registered_owner: 'user:local:app' }
  const flows = agents.map(agent => {
    return { ...made, client_id: agent.client_id, workflow_id: namesOf(agent, true).workflow_id, created_at: now }
  })
  await db.insertInto('workflow').values(flows).execute()
  const versions = agents.map(agent => {
    const { client_id, agent_id } = agent
    const { workflow_id } = namesOf(agent, true)
    const { steps } = workflowRegistrationSchema.parse({ workflow_id, steps: [{ step_id: STEP, agent_id }] })
    return {
      ...{
        ...made,
        ...by,
        client_id,
        workflow_id,
        definition_digest: Buffer.alloc(32),
        approved_at: null,
        approved_by: null,
      },
      ...{ definition: JSON.stringify({ steps }), agent_ids: JSON.stringify([agent_id]) },
    }
  })
  await db.insertInto('workflow_version').values(versions).execute()
}

async function insertExecutions(db: Kysely<Database>, agents: readonly GateAgent[]): Promise<void> {
  const now = new Date()
  const executions = agents.map(agent => {
    const { workflow_id, execution_id } = namesOf(agent, true)
    const { client_id, agent_id } = agent
    const initiated_by = agentSubject(client_id, agent_id)
    return {
      ...{ execution_id, client_id, workflow_id, workflow_version: 1, initiated_by, opened_by: initiated_by },
      ...{ access: null, intent_digest: null, limits: JSON.stringify(LIMITS_DEFAULT), opening: null, tokens: 1 },
      ...{ opened_at: now, expires_at: new Date(now.getTime() + LIFE * 1000), status: 'open' as const },
    }
  })
  await db.insertInto('execution').values(executions).execute()
  const entered = { step_id: STEP, state: 'entered' as const, entries: 1, tokens: 1, entered_at: now, left_at: null }
  await db
    .insertInto('execution_step')
    .values(executions.map(({ execution_id }) => ({ execution_id, ...entered })))
    .execute()
}

async function insertParents(db: Kysely<Database>, agents: readonly GateAgent[]): Promise<void> {
  const now = new Date()
  const jkts = await Promise.all(agents.map(({ key }) => thumbprint(key)))
  const tokens = agents.flatMap((agent, n) =>
    [true, false].map(inExecution => {
      const { workflow_id, execution_id, parent_jti: jti } = namesOf(agent, inExecution)
      const { client_id, agent_id } = agent
      const sub = agentSubject(client_id, agent_id)
      return {
        ...{ jti, client_id, sub, resource: API, scope: 'read', token_profile: 'interop' as const, kid: 'k' },
        ...{ token_type: 'DPoP' as const, jkt: jkts[n] ?? '', agent_id, registration_id: `reg_${agent_id}` },
        workflow_id: inExecution ? workflow_id : null,
        workflow_version: inExecution ? 1 : null,
        workflow_step: inExecution ? STEP : null,
        workflow_state: inExecution ? ('recorded' as const) : ('none' as const),
        execution_id: inExecution ? execution_id : null,
        ...{ parent_jti: null, delegation_id: null, initiated_by: sub, issued_at: now },
        expires_at: new Date(now.getTime() + LIFE * 1000),
      }
    }),
  )
  await db.insertInto('token').values(tokens).execute()
}
