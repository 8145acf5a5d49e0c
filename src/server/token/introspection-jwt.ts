import type { SigningAlg } from '../../protocol/resource.ts'
import { epochSeconds } from '../../protocol/time.ts'
import type { Context } from '../context.ts'
import type { Signer } from '../keys/keyring.ts'
import { signCompact } from '../keys/sign-compact.ts'
import { standingRevocation } from '../store/revocations.ts'
import { signingKeyRevoked } from './lapse-refusal.ts'

/** Media type, and `typ` without `application/` (RFC 9701 section 5). */
export const INTROSPECTION_JWT = 'application/token-introspection+jwt'
const JSON_TYPE = 'application/json'
/** protocol.md section 2: the answer is about now. */
const LIFETIME = 60

/**
 * Whether an Accept header asks for the signed answer (RFC 9110 section 12.5.1): it is named, and JSON, the default, is
 * not liked as much or more. A wildcard never names it.
 */
export function asksForSigned(accept: string | undefined): boolean {
  const weights = new Map((accept ?? '').split(',').map(readRange))
  const signed = weights.get(INTROSPECTION_JWT) ?? 0
  const named = weights.get(JSON_TYPE)
  const plain = named ?? weights.get('application/*') ?? weights.get('*/*') ?? 0
  return signed > 0 && (signed > plain || (named === undefined && signed === plain))
}

/** One media range with its weight; 0 for a weight that is none. */
function readRange(range: string): readonly [string, number] {
  const [type = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase())
  const q = parameters.find(parameter => parameter.startsWith('q='))
  if (q === undefined) return [type, 1]
  return [type, /^q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q) ? Number(q.slice(2)) : 0]
}

/** The answer to one caller as a JWT, also where the token is not active (RFC 9701 section 5). 503 without a good key. */
export async function signIntrospection(
  ctx: Context,
  answer: { client_id: string; alg: SigningAlg; body: Readonly<Record<string, unknown>> },
): Promise<string> {
  const signer = await trustedSigner(ctx, answer.alg)
  const iat = epochSeconds(ctx.now())
  const claims = {
    iss: ctx.config.issuer,
    aud: answer.client_id,
    iat,
    exp: iat + LIFETIME,
    token_introspection: answer.body,
  }
  return await signCompact(signer, INTROSPECTION_JWT.replace('application/', ''), claims)
}

/** No record of it passes the gate, so that its key is looked up here. */
async function trustedSigner(ctx: Context, alg: SigningAlg): Promise<Signer> {
  const signer = await ctx.keys.signer(alg)
  if (!(await standingRevocation(ctx, [{ kind: 'key', id: signer.kid }], ctx.now()))) return signer
  await ctx.keys.refresh()
  throw signingKeyRevoked()
}
