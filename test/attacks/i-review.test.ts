import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentGrant, clientCredentials, send } from './attempt.ts'
import { givenAgent, givenClient, givenWorkflow, givenWorld, READ_API } from './given.ts'
import { startNode } from './node.ts'
import { refused, tokenCount } from './refused.ts'

const world = await givenWorld({}, { workflow_state: 'asserted' })
const { ctx, client } = world

test('[attack 121] [attack 75] a marked scope is refused to everybody, whatever is sent (section 6)', async () => {
  const stranger = await givenAgent(ctx, client, 'own-workflow')
  await givenWorkflow(ctx, client, 'gate-free', [{ step_id: 'only', agent_id: 'own-workflow' }])
  const asks = [{}, { workflow_enabled: true, workflow_id: 'gate-free', workflow_step: 'only' }]
  for (const [scope, ajwt_error] of [
    ['deploy', 'workflow_required'],
    ['pay', 'approval_required'],
  ] as const) {
    const expected = { status: 400, error: 'invalid_scope', ajwt_error, reason: ajwt_error, audited: true }
    for (const path of ['/oauth/token', '/intent/token'] as const) {
      for (const [index, ask] of asks.entries()) {
        const attempt = agentGrant(world, path, index === 0 ? world.solo : stranger)
        const asked = path === '/oauth/token' ? { scope } : { requested_scopes: [scope] }
        attempt.params = { ...attempt.params, ...asked, ...ask }
        await refused(world, attempt, expected, agentGrant(world, path, world.solo))
      }
    }
    const direct = clientCredentials(world)
    direct.params.scope = scope
    await refused(world, direct, expected, clientCredentials(world))
  }
})

test('[attack 123] an agent named like a user, a client or another agent is its own subject (RFC 9700 section 4.15)', async () => {
  const twin = await givenClient(ctx, 'planner')
  const subjects = new Set<string>()
  for (const [owner, agent_id] of [
    [client, 'user-corp-42'],
    [client, 'patcher'],
    [twin, 'planner'],
  ] as const) {
    const agent = await givenAgent(ctx, owner, agent_id)
    subjects.add(await subjectOf(agentGrant(world, '/oauth/token', agent)))
  }
  for (const owner of [client, twin]) subjects.add(await subjectOf(clientCredentials(world, owner)))
  const all = ['agent:patcher:patcher', 'agent:patcher:user-corp-42', 'agent:planner:planner', 'patcher', 'planner']
  assert.deepEqual([...subjects].sort(), all)
})

test('[attack 130] one proof has one place in the replay table, taken from inside it', async () => {
  const node = await startNode(world)
  const { proof } = clientCredentials(world)
  const before = await tokenCount(world)
  const attempts = Array.from({ length: 20 }, () => ({ ...clientCredentials(world), proof }))
  await Promise.all(attempts.map((attempt, index) => send(world, attempt, index % 2 === 0 ? node.port : undefined)))
  await node.close()
  assert.equal((await tokenCount(world)) - before, 1)
  const jti = String(proof?.payload.jti)
  const rows = await ctx.db.selectFrom('replay').select('expires_at').where('jti', '=', jti).execute()
  const iat = Number(proof?.payload.iat)
  assert.deepEqual(rows, [{ expires_at: new Date((iat + 60) * 1000) }])
})

async function subjectOf(attempt: Parameters<typeof send>[1]): Promise<string> {
  attempt.params = { ...attempt.params, scope: 'read', resource: READ_API }
  const answer = await send(world, attempt)
  assert.equal(answer.status, 200, answer.text)
  const [, payload = ''] = String(answer.body.access_token).split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')).sub
}
