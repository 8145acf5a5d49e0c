import { z } from 'zod'
import {
  approveVersionSchema,
  registrationAnswerSchema,
  rejectVersionSchema,
  resumeSchema,
  retireVersionSchema,
  rollbackSchema,
  suspendSchema,
} from '../../../protocol/agent.ts'
import {
  agentGrantAnswerSchema,
  agentGrantChangeSchema,
  resumptionAnswerSchema,
  suspensionAnswerSchema,
} from '../../../protocol/agent-acts.ts'
import { agentIdSchema, clientIdSchema } from '../../../protocol/names.ts'
import type { ActEvent } from '../../audit/events.ts'
import type { Context } from '../../context.ts'
import { act } from '../../registry/act.ts'
import { approveVersion } from '../../registry/agent-approval.ts'
import { reject, retire } from '../../registry/agent-decisions.ts'
import { changeGrant } from '../../registry/agent-grant.ts'
import { rollback } from '../../registry/agent-rollback.ts'
import { resume, suspend } from '../../registry/agent-suspension.ts'
import type { AgentName } from '../../store/agent-lists.ts'
import { enterGateExclusive } from '../../store/gate.ts'
import { answerAct, idempotency, idempotencyHeaders } from '../act-answer.ts'
import type { App } from '../app-type.ts'
import { callerOf } from '../bearer-auth.ts'
import { problems } from './problems.ts'

const approves = { config: { permission: { audience: 'admin', scope: 'approve:agents' } } } as const
const stops = { config: { permission: { audience: 'admin', scope: 'revoke' } } } as const
const path = '/admin/v1/agents/:client_id/:agent_id'
const shared = {
  tags: ['administration'],
  params: z.object({ client_id: clientIdSchema, agent_id: agentIdSchema }),
  headers: idempotencyHeaders,
}
const ofVersion = { 200: registrationAnswerSchema, ...problems }

/** PATCH /admin/v1/agents/{client_id}/{agent_id}, POST …/approve, reject, retire, rollback, suspend, resume. */
export async function adminAgentActRoutes(app: App, { ctx }: { ctx: Context }): Promise<void> {
  const approve = {
    ...shared,
    summary: 'Approve a pending version by its id and checksum',
    body: approveVersionSchema,
    response: ofVersion,
  }
  app.post(`${path}/approve`, { ...approves, schema: approve }, async (request, reply) => {
    const { body, headers, params } = request
    const caller = callerOf(request)
    const before = enterGateExclusive
    const asked = { ...idempotency(request, headers), body, answer: registrationAnswerSchema, before }
    const event = eventOf('agent.approve', params, body)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => approveVersion(tx, caller, params, body)))
  })
  const regrant = {
    ...shared,
    summary:
      'Change the grant of an agent, at once for every version; wider only by another owner than the client’s and the registrants’',
    body: agentGrantChangeSchema,
    response: { 200: agentGrantAnswerSchema, ...problems },
  }
  app.patch(path, { ...approves, schema: regrant }, async (request, reply) => {
    const { body, headers, params } = request
    const caller = callerOf(request)
    const before = enterGateExclusive
    const asked = { ...idempotency(request, headers), body, answer: agentGrantAnswerSchema, before }
    const event = { action: 'agent.grant', ...params, details: {} } as const
    return answerAct(reply, await act(ctx, caller, event, asked, tx => changeGrant(tx, caller, params, body)))
  })
  const turnDown = {
    ...shared,
    summary: 'Reject a pending version by its id and checksum; its owner may withdraw it so',
    body: rejectVersionSchema,
    response: ofVersion,
  }
  app.post(`${path}/reject`, { ...approves, schema: turnDown }, async (request, reply) => {
    const { body, headers, params } = request
    const caller = callerOf(request)
    const asked = { ...idempotency(request, headers), body, answer: registrationAnswerSchema }
    const event = eventOf('agent.reject', params, body)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => reject(tx, caller, params, body)))
  })
  const end = {
    ...shared,
    summary: 'Retire a version: it mints no more, its tokens stay active until they expire',
    body: retireVersionSchema,
    response: ofVersion,
  }
  app.post(`${path}/retire`, { ...approves, schema: end }, async (request, reply) => {
    const { body, headers, params } = request
    const before = enterGateExclusive
    const asked = { ...idempotency(request, headers), body, answer: registrationAnswerSchema, before }
    const event = eventOf('agent.retire', params, body)
    return answerAct(reply, await act(ctx, callerOf(request), event, asked, tx => retire(tx, params, body)))
  })
  const goBack = {
    ...shared,
    summary: 'Let the content of an older version count again, at once, as a new version',
    body: rollbackSchema,
    response: ofVersion,
  }
  app.post(`${path}/rollback`, { ...approves, schema: goBack }, async (request, reply) => {
    const { body, headers, params } = request
    const caller = callerOf(request)
    const asked = { ...idempotency(request, headers), body, answer: registrationAnswerSchema }
    const event = eventOf('agent.rollback', params, body)
    return answerAct(reply, await act(ctx, caller, event, asked, tx => rollback(tx, caller, params, body)))
  })
  const halt = {
    ...shared,
    summary: 'Suspend an agent: it mints nothing, and its tokens and what it delegated are not active',
    body: suspendSchema,
    response: { 200: suspensionAnswerSchema, ...problems },
  }
  app.post(`${path}/suspend`, { ...stops, schema: halt }, async (request, reply) => {
    const { body, headers, params } = request
    const caller = callerOf(request)
    const before = enterGateExclusive
    const asked = { ...idempotency(request, headers), body, answer: suspensionAnswerSchema, before }
    const event = { action: 'agent.suspend', ...params, details: {} } as const
    return answerAct(reply, await act(ctx, caller, event, asked, tx => suspend(tx, caller, params, body)))
  })
  const goOn = {
    ...shared,
    summary: 'Resume a suspended agent: its own tokens that have not expired are active again',
    body: resumeSchema,
    response: { 200: resumptionAnswerSchema, ...problems },
  }
  app.post(`${path}/resume`, { ...approves, schema: goOn }, async (request, reply) => {
    const { body, headers, params } = request
    const caller = callerOf(request)
    const before = enterGateExclusive
    const asked = { ...idempotency(request, headers), body, answer: resumptionAnswerSchema, before }
    const event = { action: 'agent.resume', ...params, details: {} } as const
    return answerAct(reply, await act(ctx, caller, event, asked, tx => resume(tx, caller, params)))
  })
}

function eventOf(action: ActEvent['action'], name: AgentName, body: { registration_id: string }): ActEvent {
  return { action, ...name, details: { registration_id: body.registration_id } }
}
