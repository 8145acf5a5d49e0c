import { sha256Base64url } from '../../src/protocol/digest.ts'
import { LIMITS_DEFAULT } from '../../src/protocol/execution.ts'
import type { IssuerPurpose } from '../../src/protocol/trusted-issuer.ts'
import type { Caller } from '../../src/server/caller.ts'
import { type Context, transaction } from '../../src/server/context.ts'
import { newExecution } from '../../src/server/registry/execution-opening.ts'
import { openApproval } from '../../src/server/registry/open-approval.ts'
import { insertExecution } from '../../src/server/store/executions.ts'
import { insertTrustedIssuer } from '../../src/server/store/trusted-issuers.ts'
import { agentBody, CRM, caller, givenClient, register, registerFlow } from './given.ts'

export const TRANSFER = '{"amount":1200,"to":"DE89"}'
export const DIGEST = sha256Base64url(TRANSFER)
const STEPS = [
  { step_id: 'plan', agent_id: 'planner', required: true },
  { step_id: 'gate', approval_gate: true },
  {
    ...{ step_id: 'pay', agent_id: 'payer', requires_approval: true, action: 'Transfers money.' },
    access: [{ resource: CRM, scope: 'read write' }],
  },
]

/** Who has a part in what is asked: each of them another person. */
export const PEOPLE = {
  'the owner of the client': 'user:local:anna',
  'the initiator': 'user:corp:42',
  'who registered the workflow': 'user:local:wanda',
  'the owner of the client that did': 'user:local:carl',
  'who registered the agent': 'user:local:rita',
} as const

/** A client whose workflow pays after an approval, registered by Wanda with Carl's client, the agent by Rita. */
export async function givenPayments(ctx: Context, client_id: string): Promise<void> {
  await givenClient(ctx, client_id)
  const carls = await givenClient(ctx, `${client_id}-ci`, {
    owner: PEOPLE['the owner of the client that did'],
    registers_for: [client_id],
  })
  const rita = { ...carls, acting_owner: PEOPLE['who registered the agent'] }
  for (const id of ['planner', 'payer']) await register(ctx, rita, agentBody(client_id, { id, prompt: id }))
  const wanda = { ...carls, acting_owner: PEOPLE['who registered the workflow'] }
  await registerFlow(ctx, wanda, STEPS, 'w', client_id)
}

/** An execution of it, begun by user 42; `expires_in` in seconds. */
export async function givenExecution(
  ctx: Context,
  client_id: string,
  over: { initiated_by?: string; expires_in?: number } = {},
): Promise<string> {
  const row = newExecution(ctx, {
    ...{ client_id, workflow_id: 'w', workflow_version: 1, initiated_by: PEOPLE['the initiator'] },
    ...{ opened_by: client_id, limits: LIMITS_DEFAULT, access: null, ...over },
  })
  await transaction(ctx, tx => insertExecution(tx, row))
  return row.execution_id
}

/** What a refused mint of step `pay` asks for; without arguments where `text` is null. */
export function askedFor(ctx: Context, client_id: string, execution_id: string, text: string | null = TRANSFER) {
  const asked = { execution_id, client_id, workflow_id: 'w', step_id: 'pay', agent_id: 'payer' }
  const sent = text === null ? {} : { arguments: text, arguments_digest: sha256Base64url(text) }
  return { ...asked, ...sent, resource: CRM, scope: 'write', now: ctx.now() }
}

/** The refused mint itself. */
export async function ask(ctx: Context, client_id: string, execution_id: string, text: string | null = TRANSFER) {
  return await transaction(ctx, tx => openApproval(tx, askedFor(ctx, client_id, execution_id, text)))
}

/** `ask` where it is granted a place. @returns the approval's id */
export async function opened(...asked: Parameters<typeof ask>): Promise<string> {
  const answer = await ask(...asked)
  if ('approval_id' in answer) return answer.approval_id
  throw answer
}

/** A record of issuer `corp`, or of another record of the same provider. */
export async function givenIssuer(ctx: Context, name: string, purpose: IssuerPurpose): Promise<void> {
  await insertTrustedIssuer(ctx, {
    ...{ name, issuer: 'https://login.corp.example', purpose, audience: ctx.config.issuer },
    ...{ jwks: { keys: [] }, jwks_uri: null, algs: ['ES256'], typs: ['JWT'], typ_may_be_absent: false, clients: [] },
    ...{ max_age: 300, claims: {}, acr_values: [], access: null, access_by_claim: [], status: 'active' as const },
    ...{ created_at: ctx.now(), created_by: 'admin', updated_at: null },
  })
}

/** An operator that answers to this owner. */
export async function givenOperator(ctx: Context, client_id: string, owner: string): Promise<Caller> {
  return await givenClient(ctx, client_id, { owner, kind: 'operator' })
}

/** A person who signed in through the client `portal`. */
export function person(sub: string): Caller {
  return caller({ client_id: 'portal', sub, acting_owner: sub })
}
