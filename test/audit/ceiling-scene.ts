import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { type Answer, type Attempt, agentGrant, send } from '../attacks/attempt.ts'
import { type GivenAgent, givenAgent, givenClient, givenWorkflow, givenWorld, READ_API } from '../attacks/given.ts'
import { type Asked, callAs, type Endpoint, givenCrew, stepAttempt } from '../attacks/recorded.ts'
import { generateKey } from '../support/dpop.ts'
import { givenAdmin } from '../support/given.ts'
import { foreignToken, givenTrustedIssuer, JWT_TYPE } from '../token/foreign.ts'
import { caller, explained, factsOf } from './given.ts'

/** A refusal for which something was compared with a policy of the client or with a ceiling. */
export type Row = {
  readonly reason: string
  readonly by: string
  /** @returns the id of its request or its row */
  readonly refused: () => Promise<string>
  /** Both sides, by the names of their facts. */
  readonly sides: Readonly<Record<string, RegExp>>
}

export async function givenCeilings() {
  const world = await givenWorld()
  const { app, ctx } = world
  const admin = await givenAdmin(app)
  const asAdmin = caller(app, admin, 'admin')
  const { client, planner, worker } = await givenCrew(world, {
    limits: { max_tokens: 3, max_children: 1, max_nodes: 3 },
  })
  const { client_id } = client
  const deploy = [{ resource: READ_API, scope: 'deploy' }]
  const narrow = { step_id: 'plan', agent_id: 'planner', required: true, access: deploy }
  await givenWorkflow(ctx, client, 'narrow', [narrow])
  await givenWorkflow(ctx, client, 'flow', [
    { step_id: 'plan', agent_id: 'planner', required: true },
    { step_id: 'apply', agent_id: 'worker', required: true },
    { step_id: 'report', agent_id: 'planner', required: true },
  ])
  const person = await generateKey()
  const access = [{ resource: READ_API, scope: 'deploy write' }]
  await givenTrustedIssuer(app, person, {
    ...{ name: 'corp', clients: [client_id] },
    access_by_claim: [{ claim: 'role', value: 'dev', access }],
  })

  async function sent(attempt: Attempt): Promise<string> {
    return refusal(await send(world, attempt))
  }

  async function called(path: string, scope: string, body: object, by = client): Promise<string> {
    return refusal(await callAs(world, by, scope, { path, method: 'POST', body }))
  }

  async function registering(over: object): Promise<string> {
    const agent_components = { agent_id: 'new', prompt_template: 'New.', tools: [] }
    return await called('/intent/register/agent', 'register:intent', { app_id: client_id, agent_components, ...over })
  }

  async function defining(over: object): Promise<string> {
    const steps = [
      { step_id: 'first', approval_gate: true },
      { step_id: 'second', agent_id: 'planner', ...over },
    ]
    return await called('/intent/register/workflow', 'register:workflow', { workflow_id: 'new', steps })
  }

  return {
    ...{
      world,
      app,
      ctx,
      admin,
      asAdmin,
      client,
      client_id,
      planner,
      worker,
      person,
      sent,
      called,
      registering,
      defining,
    },
    /** A client of these policies with one agent that no workflow assigns. */
    async soloOf(policies: object, overrides: object = {}): Promise<GivenAgent> {
      const owner = await givenClient(ctx, undefined, { policies, ...overrides })
      return await givenAgent(ctx, owner, 'solo')
    },
    mint: (agent: GivenAgent) => agentGrant(world, '/oauth/token', agent),
    async step(agent: GivenAgent, asked: Asked, path: Endpoint = '/intent/token'): Promise<string> {
      return await sent(stepAttempt(world, path, agent, asked))
    },
    /** Parameters of a mint that starts an execution for a person. */
    async ofPerson() {
      const subject_token = await foreignToken(app, person, { role: 'dev' })
      return { grant_type: TOKEN_EXCHANGE_GRANT, subject_token, subject_token_type: JWT_TYPE }
    },
    /** One test a row. */
    bothSides(rows: readonly Row[]): void {
      for (const { reason, by, refused, sides } of rows) {
        test(`${reason} by ${by}: both sides are among the facts`, async () => {
          // The limits of one client are those of a minute.
          app.clock.advance(61)
          const about = await explained(asAdmin, await refused())
          assert.equal(about.reason, reason)
          const found = factsOf(about, Object.keys(sides))
          for (const [name, side] of Object.entries(sides)) assert.match(found[name] ?? 'no such fact', side, name)
        })
      }
    },
  }
}

function refusal(answer: Answer): string {
  assert.ok(answer.status >= 400, answer.text)
  return String(answer.headers['x-request-id'])
}
