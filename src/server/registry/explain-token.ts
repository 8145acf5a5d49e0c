import type { Context } from '../context.ts'
import { findAgent } from '../store/agents.ts'
import { findClient } from '../store/clients.ts'
import { findDelegationChain } from '../store/delegations.ts'
import { listEntries, type StandingEntry, type TokenStory } from '../store/explain.ts'
import { findRegistration } from '../store/registrations.ts'
import { revocationRefs } from '../store/revocations.ts'
import { fillCommand } from './explain-command.ts'
import { entryText, type Fact, fact } from './explain-facts.ts'
import type { Part } from './explain-refusal.ts'

/** A token: how it came to be, and whether it lives, has expired or was revoked, and by which entry. */
export async function explainToken(ctx: Context, token: TokenStory): Promise<Part> {
  const { client_id, agent_id, jti, issued_at, expires_at } = token
  const entries = await listEntries(ctx, revocationRefs(token))
  const covering = entries.filter(({ revoked_at, ends_at }) => revoked_at < expires_at && ends_at > issued_at)
  const agent = agent_id === null ? undefined : await findAgent(ctx, client_id, agent_id)
  const isSuspension = ({ kind }: StandingEntry) => kind === 'agent' && agent?.status === 'suspended'
  // What no resume takes back decides, where there is such an entry.
  const entry = covering.find(one => !isSuspension(one)) ?? covering[0]
  const state = entry ? revokedBy(token, entry, isSuspension(entry)) : stateOf(token, ctx.now())
  const chain = token.delegation_id === null ? undefined : await findDelegationChain(ctx, token.delegation_id)
  return {
    outcome: 'success',
    reason: null,
    check: `The token was issued at ${issued_at.toISOString()}; ${state.text}`,
    facts: [
      fact('state', state.name),
      ...originFacts(token),
      ...(chain ? [fact('chain', chain.join(' > '))] : []),
      ...(await versionFacts(ctx, token)),
      ...(entry ? [fact(`revocation of ${entry.kind}`, entryText(entry, ctx.now()))] : []),
    ],
    mend: state.mend,
    command: state.command === undefined ? null : fillCommand(state.command, { client_id, agent_id, jti }),
    error_uri: null,
  }
}

type State = {
  readonly name: 'live' | 'expired' | 'revoked'
  readonly text: string
  readonly mend: string
  readonly command?: string
}

function revokedBy(token: TokenStory, entry: StandingEntry, isSuspension: boolean): State {
  const { kind, id, revoked_at } = entry
  const text = `it was revoked by the entry for ${kind} ${id} at ${revoked_at.toISOString()}.`
  if (!isSuspension) return { name: 'revoked', text, mend: mendOf(token, entry) }
  return {
    name: 'revoked',
    text,
    mend: 'The agent is suspended: once another owner resumes it, those of its tokens that have not expired are active again.',
    command: 'remit agent resume {client_id} {agent_id}',
  }
}

/** What comes after an entry that nobody takes back (protocol.md section 9). */
function mendOf({ kid }: TokenStory, { kind, id, ends_at }: StandingEntry): string {
  if (kind === 'initiator') {
    return `What it began is stopped until ${ends_at.toISOString()}; from then on it may begin anew, with a new token.`
  }
  if (kind === 'token' || (kind === 'key' && id === kid)) return 'The client asks for a new token, if it still may.'
  if (kind === 'key') return 'A revoked key is final: the client asks for a new token with another key.'
  if (kind === 'registration') return 'A revoked version is final: an active version of the agent asks for a new token.'
  return `A revocation of this kind (${kind}) is final: no new token is issued to what it names.`
}

function stateOf({ expires_at, revoked_at }: TokenStory, now: Date): State {
  const ended = expires_at.toISOString()
  if (revoked_at !== null) {
    return {
      name: 'revoked',
      text: `it was revoked at ${revoked_at.toISOString()}, by itself or with what it descends from.`,
      mend: 'The client asks for a new token, if it still may.',
    }
  }
  if (expires_at <= now) {
    return { name: 'expired', text: `it expired at ${ended}.`, mend: 'The client asks for a new token.' }
  }
  return {
    name: 'live',
    text: `it is live until ${ended}.`,
    mend: 'Nothing needs to be done; the command would kill the token.',
    command: 'remit revoke token {jti} --reason TEXT',
  }
}

/** Who answers for the content that asked for the token: who wrote that version, and who let it count. */
async function versionFacts(ctx: Context, { registration_id }: TokenStory): Promise<readonly Fact[]> {
  const version = registration_id === null ? undefined : await findRegistration(ctx, registration_id)
  if (!version) return []
  const { registered_by, registered_owner, registered_at, approved_by, approved_at } = version
  return [
    fact('version', `${version.version} (${version.status})`),
    fact('version registered', `${registered_at.toISOString()} by ${registered_by} for ${registered_owner}`),
    ...(approved_by === null || approved_at === null
      ? [fact('version approved', 'by nobody: it counted without approval')]
      : [fact('version approved', `${approved_at.toISOString()} by ${await namedOwner(ctx, approved_by)}`)]),
  ]
}

/** A client with the person who answers for it. */
async function namedOwner(ctx: Context, subject: string): Promise<string> {
  const client = await findClient(ctx, subject)
  return client ? `${subject} for ${client.owner}` : subject
}

function originFacts(token: TokenStory): readonly Fact[] {
  const { client_id, sub, agent_id, registration_id, workflow_id, workflow_version, workflow_step } = token
  return [
    fact('client_id', client_id),
    fact('sub', sub),
    fact('resource', token.resource),
    fact('scope', token.scope),
    fact('token_type', token.token_type),
    fact('bound to key (jkt)', token.jkt),
    fact('signed by kid', token.kid),
    fact('expires_at', token.expires_at.toISOString()),
    ...(agent_id === null ? [] : [fact('agent_id', agent_id), fact('registration_id', registration_id)]),
    ...(workflow_id === null
      ? []
      : [fact('workflow', `${workflow_id} version ${workflow_version}, step ${workflow_step}`)]),
    ...(token.execution_id === null ? [] : [fact('execution_id', token.execution_id)]),
    ...(token.parent_jti === null ? [] : [fact('delegated from jti', token.parent_jti)]),
    ...(token.approval_id === null ? [] : [fact('approval_id', token.approval_id)]),
    ...(token.initiated_by === null ? [] : [fact('initiated_by', token.initiated_by)]),
  ]
}
