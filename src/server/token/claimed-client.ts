import { isJsonObject } from '../../protocol/json.ts'
import { clientIdSchema } from '../../protocol/names.ts'
import { basicCredentials } from './basic-credentials.ts'
import type { TokenHttp } from './token-http.ts'

/** Who a request says it is, not verified: only for counting failures. Anything that is no client_id counts as one. */
export function claimedClient(http: TokenHttp): string {
  const [, basic = ''] = /^basic +(\S+)$/i.exec(http.authorization ?? '') ?? []
  return clientIdSchema.safeParse(basicCredentials(basic)?.client_id ?? http.body.client_id).data ?? ''
}

const CLIENT = /"client_id"\s*:\s*"([^"\\]{1,128})"/
const ISSUER = /"iss"\s*:\s*"([^"\\]{1,128})"/
const LONGEST = 16_384

/**
 * Who a request says it is, by whatever method, read in microseconds and not verified: only for who shares a place with
 * whom. Whoever says different things to different readers has one name here like everybody.
 */
export function claimedName(authorization: string | undefined, body: unknown): string {
  const [, scheme, value = ''] = /^(basic|bearer) +(\S+)$/i.exec(authorization ?? '') ?? []
  if (scheme?.toLowerCase() === 'basic') return basicCredentials(value)?.client_id ?? ''
  if (scheme !== undefined) return claimOf(value, CLIENT)
  if (!isJsonObject(body)) return ''
  const { client_assertion, client_id } = body
  if (typeof client_assertion === 'string') return claimOf(client_assertion, ISSUER)
  return typeof client_id === 'string' ? client_id.slice(0, 128) : ''
}

function claimOf(jwt: string, claim: RegExp): string {
  const payload = jwt.slice(0, LONGEST).split('.', 2)[1] ?? ''
  return claim.exec(Buffer.from(payload, 'base64url').toString('latin1'))?.[1] ?? ''
}

/** Whether a request authenticates by something that can be guessed. */
export function sendsSecret({ authorization, body }: TokenHttp): boolean {
  return /^basic /i.test(authorization ?? '') || body.client_secret !== undefined
}
