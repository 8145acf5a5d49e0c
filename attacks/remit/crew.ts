import { z } from 'zod'
import { createClient, type Operator } from '../../demo/administration.ts'
import { generateKey } from '../../demo/agents.ts'
import { type Answer, expectStatus, type IntentRequest, type RemitClient } from '../../demo/remit-client.ts'
import { registrationAnswerSchema } from '../../src/protocol/agent.ts'
import type { JsonObject } from '../../src/protocol/json.ts'
import type { HolderKey } from '../../src/protocol/sign.ts'
import { WORKFLOW_STEP_TYPE } from '../../src/protocol/workflow-request.ts'
import { type AgentName, CAST, STEPS, type StepName, WORKFLOW } from '../story.ts'
import type { LedgerApi } from './ledger-api.ts'
import { type Member, makeMember } from './member.ts'

export type Office = {
  readonly metadata: RemitClient['metadata']
  readonly adminUrl: string
  readonly anna: Operator
  readonly ben: Operator
  readonly api: LedgerApi
}

export type Hiring = {
  readonly owner?: string
  /** Public halves of further credentials of the client, which other processes hold. */
  readonly credentials?: readonly object[]
  /** Further scopes at Remit, each with a space before it. */
  readonly more?: string
  /** Public keys of agents that live in other processes. */
  readonly elsewhere?: Partial<Record<AgentName, object>>
}

/** A client with its four agents, all in one process, approved, and their workflow. */
export type Crew = {
  readonly client_id: string
  /** The client with its credential. */
  readonly client: RemitClient
  readonly key: HolderKey
  readonly members: Readonly<Record<AgentName, Member>>
}

/**
 * Registers a client and its agents: every policy is the default, but that somebody must approve agents and looser
 * workflows, as production asks of a client that registers its own.
 */
export async function hireCrew(
  office: Office,
  client_id: string,
  { owner = 'user:local:carl', credentials = [], elsewhere = {}, more = '' }: Hiring = {},
): Promise<Crew> {
  const { anna, api, metadata } = office
  const { issuer } = metadata
  const scope = Object.values(CAST).map(member => member.scope)
  const access = [{ resource: api.url, scope: [...new Set(scope)].join(' ') }]
  const key = await generateKey()
  const asked = {
    client_id,
    client_name: 'Invoice desk',
    owner,
    kind: 'app',
    grant_types: ['client_credentials', 'agent_checksum'],
    access: [...access, { resource: issuer, scope: `generate:intent-token register:intent register:workflow${more}` }],
    policies: { require_approval: true },
    jwks: { keys: [key.publicJwk, ...credentials] },
  }
  const { client } = await createClient(anna, office, asked, key)
  const make = (name: AgentName) => makeMember(name, { issuer, client_id, key, api: api.url })
  const members = {
    reader: await make('reader'),
    scanner: await make('scanner'),
    bookkeeper: await make('bookkeeper'),
    payer: await make('payer'),
  }
  const crew = { client_id, client, key, members }
  const token = await client.clientToken(issuer, 'register:intent register:workflow')
  for (const member of Object.values(members)) {
    const public_key = elsewhere[member.name] ?? (await member.agent.identity()).jwk
    await register(office, crew, token, { member, public_key })
  }
  const body = workflow(api.url, WORKFLOW)
  expectStatus(await client.call('POST', metadata.ajwt_workflow_registration_endpoint, token, body), 200)
  return crew
}

/** The definition of the workflow as it is registered. */
export function workflow(api: string, workflow_id: string): JsonObject & { steps: JsonObject[] } {
  const steps = STEPS.map(step => {
    if (!('scope' in step)) return { ...step }
    const { scope, ...rules } = step
    return { ...rules, access: [{ resource: api, scope }] }
  })
  return { workflow_id, steps }
}

type Registered = { readonly member: Member; readonly public_key: object }

async function register(office: Office, crew: Crew, token: string, { member, public_key }: Registered): Promise<void> {
  const { metadata, api, ben } = office
  const { client, client_id } = crew
  const answer = await client.call('POST', metadata.ajwt_agent_registration_endpoint, token, {
    app_id: client_id,
    agent_components: await member.agent.components(),
    public_key,
    grant: { access: [{ resource: api.url, scope: CAST[member.name].scope }] },
  })
  const { registration_id, checksum } = registrationAnswerSchema.parse(expectStatus(answer, 200))
  const approve = `/agents/${client_id}/${member.name}/approve`
  expectStatus(await ben.post(approve, { registration_id, checksum }), 200)
}

type Asked = {
  readonly step?: StepName
  readonly execution_id?: string | undefined
  readonly arguments?: object
  readonly scope?: string
  readonly more?: JsonObject
}

/** A token request of an agent as it would be, for an attacker to change. */
export function requestOf(
  office: Office,
  member: Member,
  { step, execution_id, scope, more, ...asked }: Asked,
): IntentRequest {
  const named = { workflow_id: WORKFLOW, ...(step && { workflow_step: step }), ...(execution_id && { execution_id }) }
  const detail = asked.arguments && [{ type: WORKFLOW_STEP_TYPE, ...named, arguments: { ...asked.arguments } }]
  return {
    agent_id: member.name,
    computed_checksum: member.checksum,
    requested_scopes: (scope ?? CAST[member.name].scope).split(' '),
    audience: office.api.url,
    more: { ...(step && (detail ? { authorization_details: z.json().parse(detail) } : named)), ...more },
  }
}

/** Asks for a token by hand, with whatever credential and key the attacker has. */
export async function ask(office: Office, crew: Crew, member: Member, asked: Asked, key = member.key): Promise<Answer> {
  return await crew.client.mint(requestOf(office, member, asked), key)
}
