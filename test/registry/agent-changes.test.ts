import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import type { AgentRegistration } from '../../src/protocol/agent.ts'
import type { Caller } from '../../src/server/caller.ts'
import { act } from '../../src/server/registry/act.ts'
import { approveVersion } from '../../src/server/registry/agent-approval.ts'
import { registerAgent } from '../../src/server/registry/agent-registration.ts'
import { startTestApp } from '../support/app.ts'
import { generateKey } from '../support/dpop.ts'
import { lastAudited } from './admin-call.ts'
import { APPROVER, agentBody, CRM, givenClient, givenResources, MAIL } from './given.ts'

const app = await startTestApp()
const { ctx } = app
await givenResources(ctx)

const REQUEST = { endpoint: 'POST /test', body: {}, answer: z.any() }
const NOTHING = { access: [], outside_workflow: false }
const READ = { access: [{ resource: CRM, scope: 'read' }], outside_workflow: false }
const MORE = { access: [...READ.access, { resource: MAIL, scope: 'read' }], outside_workflow: true }

async function registered(by: Caller, body: AgentRegistration) {
  app.clock.advance(1)
  const event = { action: 'agent.register', details: {} } as const
  const version = (await act(ctx, by, event, REQUEST, tx => registerAgent(tx, by, body))).body
  const { agent_id: _, ...named } = version
  return { version, named, details: (await lastAudited(app, 'agent.register')).details }
}

async function approved(client_id: string, { agent_id, registration_id, checksum }: Version) {
  app.clock.advance(1)
  const event = { action: 'agent.approve', details: {} } as const
  const approve = { registration_id, checksum }
  await act(ctx, APPROVER, event, REQUEST, tx => approveVersion(tx, APPROVER, { client_id, agent_id }, approve))
  return (await lastAudited(app, 'agent.approve')).details
}

type Version = Awaited<ReturnType<typeof registered>>['version']

test('the trail says which grant and keys a version got at once, and what it replaced (protocol.md sections 4 and 11)', async () => {
  const by = await givenClient(ctx, 'at-once')
  const { jwk, jkt } = await generateKey()
  const first = await registered(by, agentBody('at-once', { grant: READ, public_key: { ...jwk } }))
  assert.deepEqual(first.details, {
    ...first.named,
    pending_for: [],
    grant: { before: NOTHING, after: READ },
    keys_added: [jkt],
  })
  // The same grant and key once more are no change.
  const same = await registered(by, agentBody('at-once', { prompt: 'B', grant: READ, public_key: { ...jwk } }))
  assert.deepEqual(same.details, { ...same.named, pending_for: [] })
  const wider = await registered(by, agentBody('at-once', { prompt: 'C', grant: MORE, drain_seconds: 9 }))
  assert.deepEqual(wider.details, {
    ...wider.named,
    pending_for: [],
    drain_seconds: 9,
    grant: { before: READ, after: MORE },
  })
})

test('of a version that waits the trail has what it proposes, of its approval what came of it (section 4)', async () => {
  const by = await givenClient(ctx, 'waits', { policies: { require_approval: true } })
  const [one, two] = [await generateKey(), await generateKey()]
  const first = await registered(by, agentBody('waits', { grant: READ, public_key: { ...one.jwk } }))
  assert.deepEqual(first.details, {
    ...first.named,
    pending_for: ['require_approval'],
    proposed_grant: READ,
    proposed_jkts: [one.jkt],
  })
  const { status: _, ...given } = first.named
  assert.deepEqual(await approved('waits', first.version), {
    ...given,
    drain_seconds: 0,
    grant: { before: NOTHING, after: READ },
    keys_added: [one.jkt],
  })
  const second = await registered(by, agentBody('waits', { prompt: 'B', public_key: { ...two.jwk } }))
  assert.deepEqual(second.details, {
    ...second.named,
    pending_for: ['require_approval', 'keys'],
    proposed_jkts: [two.jkt],
  })
  const { status: __, ...replaced } = second.named
  assert.deepEqual(await approved('waits', second.version), {
    ...replaced,
    drain_seconds: 0,
    keys_added: [two.jkt],
    keys_removed: [one.jkt],
  })
  // A narrower grant does not wait with its version.
  const narrower = await registered(by, agentBody('waits', { prompt: 'C', grant: NOTHING }))
  assert.deepEqual(narrower.details, {
    ...narrower.named,
    pending_for: ['require_approval'],
    grant: { before: READ, after: NOTHING },
  })
})
