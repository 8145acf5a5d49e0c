import { z } from 'zod'
import { clientAuthentication, type SecretCredential } from '../protocol/client-authentication.ts'
import { TOKEN_EXCHANGE_GRANT } from '../protocol/grant-types.ts'
import { type ServerMetadata, serverMetadataSchema } from '../protocol/metadata.ts'
import { type HolderKey, signDpopProof } from '../protocol/sign.ts'
import { epochSeconds } from '../protocol/time.ts'
import { CliFailure } from './failure.ts'
import { type Answer, fetchAnswer, fetchJson, refusalOf, withOneRepeat } from './http.ts'
import type { Session } from './session.ts'

/** How a client proves who it is: its key, as it was read from its file, or its secret. */
export type ClientCredential = { readonly client_id: string; readonly key: HolderKey } | SecretCredential

const tokenSchema = z.looseObject({
  access_token: z.string(),
  token_type: z.string(),
  expires_in: z.int(),
  scope: z.string(),
})
export type TokenAnswer = z.output<typeof tokenSchema>

/** Parameters by which a token of a trusted issuer is exchanged (RFC 8693 section 2.1): a JWT of whatever kind. */
export function exchangeOf(subject_token: string): Readonly<Record<string, string>> {
  const subject_token_type = 'urn:ietf:params:oauth:token-type:jwt'
  return { grant_type: TOKEN_EXCHANGE_GRANT, subject_token, subject_token_type }
}

/** Reads the metadata of an issuer, which must name itself exactly so (RFC 8414 section 3.3). Throws CliFailure. */
export async function discover(issuer: string): Promise<ServerMetadata> {
  const { origin, pathname } = issuerUrl(issuer)
  const url = `${origin}/.well-known/oauth-authorization-server${pathname === '/' ? '' : pathname}`
  const { body } = await withOneRepeat(() => fetchJson(url))
  const metadata = serverMetadataSchema.safeParse(body)
  if (metadata.data?.issuer === issuer) return metadata.data
  const said = metadata.success ? `calls itself ${metadata.data.issuer}` : 'is no Remit server'
  throw new CliFailure('wrong_issuer', `The server at ${issuer} ${said}.`, {
    next: 'Give the issuer URL exactly as the server has it (REMIT_ISSUER) with --url.',
  })
}

/** Asks the token endpoint, with a proof by `proofKey` where there is one. Throws CliFailure. */
export async function requestToken(
  session: Session,
  metadata: ServerMetadata,
  credential: ClientCredential,
  parameters: Readonly<Record<string, string>>,
  proofKey?: HolderKey,
): Promise<TokenAnswer> {
  const url = metadata.token_endpoint
  const ask = async (nonce?: string): Promise<Answer> => {
    const { headers, body } = await authenticate(session, metadata.issuer, credential)
    if (proofKey) headers.set('dpop', await proofFor(session, proofKey, { htm: 'POST', htu: url, nonce }))
    return await fetchAnswer(url, { method: 'POST', headers, body: new URLSearchParams({ ...parameters, ...body }) })
  }
  const answer = await withOneRepeat(async () => {
    const first = await ask()
    const nonce = first.headers.get('dpop-nonce')
    // RFC 9449 section 8; the retry has a new assertion, because the first one is spent.
    const last = asksForNonce(first.body) && nonce ? await ask(nonce) : first
    if (last.status !== 200) throw refusalOf(last, url)
    return last
  })
  return tokenSchema.parse(answer.body)
}

/** One proof of one request (RFC 9449 section 4.2). */
export async function proofFor(
  session: Session,
  key: HolderKey,
  { nonce, ...claims }: { htm: string; htu: string; nonce?: string | undefined; access_token?: string },
): Promise<string> {
  const iat = epochSeconds(session.now())
  return await signDpopProof(key, { ...claims, iat, jti: session.randomId(), ...(nonce !== undefined && { nonce }) })
}

/** How a request of the client is authenticated: headers and members of its form; new for each request. */
export async function authenticate(
  session: Session,
  issuer: string,
  credential: ClientCredential,
): Promise<{ headers: Headers; body: Readonly<Record<string, string>> }> {
  const at = { issuer, iat: epochSeconds(session.now()), jti: session.randomId() }
  const { headers, body } = await clientAuthentication(credential, at)
  return { headers: new Headers(headers), body }
}

function asksForNonce(body: unknown): boolean {
  return z.object({ error: z.literal('use_dpop_nonce') }).safeParse(body).success
}

function issuerUrl(issuer: string): URL {
  const url = URL.parse(issuer)
  if (url) return url
  throw new CliFailure('wrong_issuer', 'The issuer is not a URL.', { next: 'Give --url https://…' })
}
