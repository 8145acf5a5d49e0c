import type { Context } from '../context.ts'
import { listEntries, type StandingEntry, type TokenStory } from '../store/explain.ts'
import { revocationRefs } from '../store/revocations.ts'
import { fillCommand } from './explain-command.ts'
import { entryText, type Fact, fact } from './explain-facts.ts'
import type { Part } from './explain-refusal.ts'

/** A token: how it came to be, and whether it lives, has expired or was revoked, and by which entry. */
export async function explainToken(ctx: Context, token: TokenStory): Promise<Part> {
  const { issued_at, expires_at } = token
  const entries = await listEntries(ctx, revocationRefs(token))
  const entry = entries.find(({ revoked_at, ends_at }) => revoked_at < expires_at && ends_at > issued_at)
  const state = stateOf(token, entry, ctx.now())
  return {
    outcome: 'success',
    reason: null,
    check: `The token was issued at ${issued_at.toISOString()}; ${state.text}`,
    facts: [
      fact('state', state.name),
      ...originFacts(token),
      ...(entry ? [fact(`revocation of ${entry.kind}`, entryText(entry, ctx.now()))] : []),
    ],
    mend: state.mend,
    command: state.name === 'live' ? fillCommand('remit revoke token {jti} --reason TEXT', { jti: token.jti }) : null,
    error_uri: null,
  }
}

type State = { readonly name: 'live' | 'expired' | 'revoked'; readonly text: string; readonly mend: string }

function stateOf({ expires_at }: TokenStory, entry: StandingEntry | undefined, now: Date): State {
  const ended = expires_at.toISOString()
  if (entry) {
    return {
      name: 'revoked',
      text: `it was revoked by the entry for ${entry.kind} ${entry.id} at ${entry.revoked_at.toISOString()}.`,
      mend: 'A revocation of a token, a version, an agent or a client is final: the client asks for a new token, if it still may.',
    }
  }
  if (expires_at <= now)
    return { name: 'expired', text: `it expired at ${ended}.`, mend: 'The client asks for a new token.' }
  return {
    name: 'live',
    text: `it is live until ${ended}.`,
    mend: 'Nothing needs to be done; the command would kill the token.',
  }
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
    ...(token.initiated_by === null ? [] : [fact('initiated_by', token.initiated_by)]),
  ]
}
