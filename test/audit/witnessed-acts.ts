import assert from 'node:assert/strict'
import { agentSubject } from '../../src/protocol/names.ts'
import { agentGrant } from '../attacks/attempt.ts'
import { stepAttempt } from '../attacks/recorded.ts'
import { asPage, signIn } from '../console/given.ts'
import { jsonOf } from '../support/json-of.ts'
import { delegate, mintAttempt, readToken } from '../token/delegating.ts'
import type { Person } from './witness.ts'
import type { Scene } from './witnessed-scene.ts'

type Kind = (round: number) => Promise<unknown>

const INTENT = '/intent/token'
const REGISTER = '/intent/register/agent'

/** What people and agents do: registrations and their decisions, a recorded execution, a delegation, the console. */
export function actKinds(scene: Scene): readonly Kind[] {
  const { world, asAdmin, asAuditor, asApp, witness } = scene
  const { act, mint, refuse } = witness
  const { client_id } = world.client
  const admin = '/admin/v1'
  return [
    ...registrationKinds(scene),
    async () => {
      const body = { workflow_id: 'patch' }
      const opening = (answer: Record<string, unknown>) => {
        return { action: 'execution.open', execution_id: String(answer.execution_id) }
      }
      const opened = await act(asApp, ['POST', '/intent/executions', body], opening)
      const execution_id = String(opened.execution_id)
      const planned = { agent_id: 'planner', execution_id }
      await mint(
        stepAttempt(world, INTENT, world.planner, { workflow_id: 'patch', step: 'plan', execution_id }),
        planned,
      )
      const worker = { agent_id: 'worker', execution_id }
      const asked = { workflow_id: 'patch', step: 'apply', execution_id, arguments: { branch: execution_id } }
      const waits = await refuse(stepAttempt(world, INTENT, world.worker, asked), 'approval_pending', worker)
      const path = `${admin}/approvals/${waits.body.approval_id}`
      const about = { client_id, ...worker }
      const { arguments_digest } = await act(asAdmin, ['GET', path], { action: 'read', ...about })
      const grant = { decision: 'grant', arguments_digest, reason: 'read it' }
      await act(asAdmin, ['POST', path, grant], { action: 'approval.grant', ...about })
      await mint(stepAttempt(world, INTENT, world.worker, asked), worker)
      const revocation = { kind: 'execution', id: execution_id, reason: 'seen' }
      const ended = { action: 'revocation.create', client_id, execution_id }
      await act(asAdmin, ['POST', `${admin}/revocations`, revocation], ended)
      await refuse(stepAttempt(world, INTENT, world.worker, asked), 'execution_revoked', worker)
    },
    // An execution that its first mint opens.
    async () => {
      const attempt = stepAttempt(world, '/oauth/token', world.planner, { workflow_id: 'patch', step: 'plan' })
      await mint(attempt, answer => ({ agent_id: 'planner', execution_id: String(answer.body.execution_id) }))
    },
    async () => {
      const attempt = mintAttempt(world, world.solo, undefined)
      const parent = { agent: world.solo, key: world.solo.key, ...readToken(await mint(attempt, { agent_id: 'solo' })) }
      const { helper } = scene
      const assertion = await delegate(world, parent, helper)
      await mint(mintAttempt(world, helper, assertion), { agent_id: 'helper', actor: agentSubject(client_id, 'solo') })
      const other = await delegate(world, parent, world.worker)
      await refuse(mintAttempt(world, helper, other), 'delegation_sub', { agent_id: 'helper' })
    },
    async () => {
      const path = `${admin}/agents/${client_id}/solo`
      const about = { client_id, agent_id: 'solo' }
      await act(asAdmin, ['POST', `${path}/suspend`, { reason: 'seen' }], { action: 'agent.suspend', ...about })
      await refuse(agentGrant(world, INTENT, world.solo), 'agent_not_active', { agent_id: 'solo' })
      await act(asAdmin, ['POST', `${path}/resume`, {}], { action: 'agent.resume', ...about })
      await mint(agentGrant(world, INTENT, world.solo), { agent_id: 'solo' })
    },
    round => {
      const change = { client_name: `Patcher ${round}` }
      return act(asAdmin, ['PATCH', `${admin}/clients/${client_id}`, change], { action: 'client.update', client_id })
    },
    round => byConsole(scene, round),
    () => {
      const revocation = { kind: 'agent', id: 'no/body', reason: 'x' }
      const expected = { action: 'revocation.create', reason: 'not_found' }
      return act(asAdmin, ['POST', `${admin}/revocations`, revocation], expected)
    },
    () => {
      const expected = { action: 'read', reason: 'not_found', client_id: 'nobody' }
      return act(asAdmin, ['GET', `${admin}/clients/nobody`], expected)
    },
    // A read that is answered, of anything but the trail and of what is asked to be approved, leaves nothing.
    async () => assert.equal((await asAdmin.call('GET', `${admin}/clients`)).status, 200),
    () => act(asAuditor, ['GET', `${admin}/clients`], { action: 'request', reason: 'insufficient_scope' }),
  ]
}

/** Of a client whose versions wait for an approval. */
function registrationKinds({ asAdmin, asRegistrar, witness }: Scene): readonly Kind[] {
  const { act } = witness
  const { client_id } = asRegistrar
  const bodyOf = (agent_id: string, prompt_template = 'Witnessed.') => {
    return { app_id: client_id, agent_components: { agent_id, prompt_template, tools: [] } }
  }
  const register = (agent_id: string, prompt?: string) =>
    act(asRegistrar, ['POST', REGISTER, bodyOf(agent_id, prompt)], { action: 'agent.register', agent_id })
  const pathOf = (agent_id: string, decision: string) => `/admin/v1/agents/${client_id}/${agent_id}/${decision}`
  const approved = async (agent_id: string, prompt?: string) => {
    const { registration_id, checksum } = await register(agent_id, prompt)
    const about = { action: 'agent.approve', client_id, agent_id }
    await act(asAdmin, ['POST', pathOf(agent_id, 'approve'), { registration_id, checksum }], about)
    return { registration_id, checksum }
  }
  return [
    round => register(`fresh-${round}`),
    async round => {
      const agent_id = `twice-${round}`
      const { registration_id, checksum } = await register(agent_id)
      const again = { action: 'agent.register', agent_id, reason: 'duplicate_agent' }
      await act(asRegistrar, ['POST', REGISTER, bodyOf(agent_id)], again)
      const path = pathOf(agent_id, 'approve')
      const about = { action: 'agent.approve', client_id, agent_id }
      const other = { registration_id, checksum: 'b'.repeat(64) }
      await act(asAdmin, ['POST', path, other], { ...about, reason: 'other_checksum' })
      await act(asAdmin, ['POST', path, { registration_id, checksum }], about)
      const revocation = { kind: 'agent', id: `${client_id}/${agent_id}`, reason: 'seen' }
      const ended = { ...about, action: 'revocation.create' }
      await act(asAdmin, ['POST', '/admin/v1/revocations', revocation], ended)
    },
    async round => {
      const agent_id = `back-${round}`
      const first = await approved(agent_id)
      await approved(agent_id, 'Changed.')
      const about = { action: 'agent.rollback', client_id, agent_id }
      await act(asAdmin, ['POST', pathOf(agent_id, 'rollback'), { ...first, drain_seconds: 0 }], about)
    },
  ]
}

/** The administrator opens a link in a browser and changes a client there. */
async function byConsole({ app, asAdmin, asRegistrar, witness }: Scene, round: number): Promise<void> {
  const { act } = witness
  const { url } = await act(asAdmin, ['POST', '/admin/v1/console/links', {}], { action: 'console.link' })
  let session = { cookie: '', marker: '' }
  const opening: Person = {
    ...asAdmin,
    async call() {
      const response = await signIn(app, String(url).split('#code=')[1] ?? '')
      const cookie = response.headers.get('set-cookie')?.split(';')[0] ?? ''
      const answer = await answerOf(response)
      session = { cookie, marker: String(answer.body.marker) }
      return answer
    },
  }
  await act(opening, ['POST', '/console/session'], { action: 'console.sign_in', via: 'console' })
  const inBrowser: Person = {
    ...asAdmin,
    call: async (method, path, body) => answerOf(await asPage(app, session, path, { method, body: { ...body } })),
  }
  const { client_id } = asRegistrar
  const change = { client_name: `Registrar ${round}` }
  const expected = { action: 'client.update', client_id, via: 'console' }
  await act(inBrowser, ['PATCH', `/admin/v1/clients/${client_id}`, change], expected)
}

async function answerOf(response: Response) {
  const request_id = response.headers.get('x-request-id') ?? ''
  return { status: response.status, body: await jsonOf(response), request_id }
}
