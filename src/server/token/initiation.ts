import { parseCompactJws } from '../../protocol/compact-jws.ts'
import type { DpopProof } from '../../protocol/dpop.ts'
import { OAuthError } from '../../protocol/errors.ts'
import type { SubjectToken } from '../../protocol/subject-token-parameter.ts'
import type { AgentGrantRequest } from '../../protocol/token-request.ts'
import type { Context } from '../context.ts'
import type { Client } from '../store/clients.ts'
import { revocationRefs, standingRevocation } from '../store/revocations.ts'
import type { PassContext } from './known-records.ts'
import { readOwnToken } from './own-token.ts'
import { type ForeignSubject, readForeignSubject } from './subject-token.ts'

/** Whose intent a mint serves, by its subject token: a person's, or that of the intent token that was delegated. */
export type Initiation = { readonly user?: ForeignSubject; readonly parent_jti?: string }

const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

/**
 * Row 7 of protocol.md section 6: a user's token of a trusted issuer, for a recorded workflow; or a live intent token
 * of ours with an assertion of its delegation. Reads only. Throws `invalid_request`.
 */
export async function readInitiation(
  ctx: PassContext,
  { subject_token, workflow, delegation_assertion }: AgentGrantRequest,
  client: Client,
  proof: DpopProof | undefined,
): Promise<Initiation | undefined> {
  if (!subject_token) return undefined
  if (claimedIssuer(subject_token) === ctx.config.issuer) {
    if (delegation_assertion === undefined) {
      throw refusal(
        'An intent token is exchanged only with a delegation_assertion.',
        'subject_token_without_delegation',
      )
    }
    return { parent_jti: await liveIntentToken(ctx, subject_token, client) }
  }
  if (!workflow) {
    throw refusal(
      "A user's token starts a workflow; name workflow_id and workflow_step.",
      'subject_token_without_workflow',
    )
  }
  if (client.policies.workflow_state !== 'recorded') {
    throw refusal('Only a client with workflow_state recorded takes a subject_token.', 'recorded_only')
  }
  const { client_id } = client
  const user = await readForeignSubject(ctx, subject_token, { client_id, purposes: ['user'], proof })
  ctx.known.relyOn(user.record)
  return { user }
}

/** Not verified: only to know whose keys to ask. */
function claimedIssuer({ token }: SubjectToken): unknown {
  try {
    return parseCompactJws(token).payload.iss
  } catch (error) {
    if (error instanceof OAuthError) return undefined
    throw error
  }
}

/** @returns its `jti` */
async function liveIntentToken(ctx: Context, { token, type }: SubjectToken, { client_id }: Client): Promise<string> {
  const own = await readOwnToken(ctx, token)
  const isIntent = own?.record.client_id === client_id && own.record.agent_id !== null
  if (!isIntent || type !== ACCESS_TOKEN_TYPE || own.claims.iat < ctx.notBefore) throw notAccepted('subject_token_own')
  if (await standingRevocation(ctx, revocationRefs(own.record), ctx.now())) throw notAccepted('subject_token_revoked')
  return own.record.jti
}

function notAccepted(reason: string): OAuthError {
  return refusal('The subject token is not one that is accepted here.', reason)
}

function refusal(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}
