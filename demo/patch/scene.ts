import { decodeJwt } from 'jose'
import { type AccessTokenClaims, accessTokenClaimsSchema } from '../../src/protocol/claims.ts'
import { delegationDigest } from '../../src/protocol/delegation.ts'
import type { JsonObject } from '../../src/protocol/json.ts'
import { thumbprintOf } from '../../src/protocol/jwk.ts'
import { agentSubject } from '../../src/protocol/names.ts'
import { signDelegation } from '../../src/protocol/sign.ts'
import { epochSeconds } from '../../src/protocol/time.ts'
import { WORKFLOW_STEP_TYPE } from '../../src/protocol/workflow-request.ts'
import { Operator } from '../administration.ts'
import { type Agent, generateKey } from '../agents.ts'
import type { ForeignIssuer } from '../foreign-issuer.ts'
import { type Answer, expectStatus, type IntentRequest, type RemitClient } from '../remit-client.ts'
import { FOREIGN_CLIENT, PATCH_APP, PATCH_STEPS, PATCH_WORKFLOW, type PatchAgent, type PEOPLE } from './story.ts'

/** What the second act has set up by the time Alice asks. */
export type PatchScene = {
  readonly app: RemitClient
  readonly desk: RemitClient
  readonly agents: Readonly<Record<PatchAgent, Agent>>
  readonly repo: string
  readonly foreign: ForeignIssuer
  readonly adminUrl: string
}

export type Minted = { readonly access_token: string; readonly claims: AccessTokenClaims; readonly assertion?: string }

type Asked = {
  readonly step_id: string
  readonly execution_id?: string
  readonly arguments?: JsonObject
  readonly assertion?: string
  readonly more?: JsonObject
}

/** What an agent asks for in a step of the second act. */
export async function ask(scene: PatchScene, agent_id: PatchAgent, asked: Asked): Promise<Answer> {
  const { components, checksum, key } = scene.agents[agent_id]
  const { step_id: workflow_step, execution_id } = asked
  const step = { workflow_id: PATCH_WORKFLOW, workflow_step, ...(execution_id !== undefined && { execution_id }) }
  const details = [{ type: WORKFLOW_STEP_TYPE, ...step, ...(asked.arguments && { arguments: asked.arguments }) }]
  const request: IntentRequest = {
    agent_id: components.agent_id,
    computed_checksum: `sha256:${checksum}`,
    requested_scopes: [scopeOf(workflow_step)],
    audience: scene.repo,
    more: {
      authorization_details: details,
      ...(asked.assertion !== undefined && { delegation_assertion: asked.assertion }),
      ...asked.more,
    },
  }
  return await scene.app.mint(request, key)
}

/** The token of an answer that must be one. */
export function minted(answer: Answer, assertion?: string): Minted {
  const access_token = String(expectStatus(answer, 200).access_token)
  const claims = accessTokenClaimsSchema.parse(decodeJwt(access_token))
  return { access_token, claims, ...(assertion !== undefined && { assertion }) }
}

/** A task handed from the holder of a token to another agent, for a step of the same execution. */
export async function delegate(
  scene: PatchScene,
  from: Minted,
  to: PatchAgent,
  task: { readonly step_id: string; readonly scope?: string },
): Promise<string> {
  const { claims, assertion } = from
  const { executed_by = '', execution_id } = claims.intent ?? {}
  const delegator = Object.values(scene.agents).find(({ components }) => components.agent_id === executed_by)
  if (!delegator) throw new Error(`The token is of no agent of the story, but of ${executed_by}.`)
  const iat = epochSeconds(new Date())
  return await signDelegation(delegator.key, {
    iss: agentSubject(PATCH_APP, executed_by),
    sub: agentSubject(PATCH_APP, to),
    aud: claims.iss,
    parent_jti: claims.jti,
    ...(assertion !== undefined && { prev: delegationDigest(assertion) }),
    jkt: await thumbprintOf(scene.agents[to].key.publicJwk),
    scope: task.scope ?? scopeOf(task.step_id),
    resource: [scene.repo],
    workflow_step: task.step_id,
    ...(execution_id !== undefined && { execution_id }),
    iat,
    exp: iat + (assertion === undefined ? 600 : 500),
    jti: crypto.randomUUID(),
  })
}

/** Signs in at the foreign issuer and becomes, by token exchange, somebody who may decide about approvals. */
export async function approver(scene: PatchScene, person: keyof typeof PEOPLE): Promise<Operator> {
  const id_token = await scene.foreign.signIn(person, FOREIGN_CLIENT, 'urn:example:two-factors')
  const key = await generateKey()
  const resource = `${scene.desk.metadata.issuer}/admin`
  const access_token = await scene.desk.exchange(id_token, { resource, scope: 'approve:steps' }, key)
  return new Operator(scene.desk.withKey(key), scene.adminUrl, access_token)
}

function scopeOf(step_id: string): string {
  const step = PATCH_STEPS.find(candidate => candidate.step_id === step_id)
  return step && 'scope' in step ? step.scope : 'repo:read'
}
