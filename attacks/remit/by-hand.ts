import { randomUUID } from 'node:crypto'
import { type Answer, expectStatus, send } from '../../demo/remit-client.ts'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import { type HolderKey, type ProofClaims, signDpopProof } from '../../src/protocol/sign.ts'
import { epochSeconds } from '../../src/protocol/time.ts'

type Call = {
  readonly token: string
  readonly key: HolderKey
  readonly body?: object
  /** Other than an honest caller’s. */
  readonly claims?: Partial<ProofClaims>
}

/** A call to an API with a token and a proof made by hand; honest unless `claims` say otherwise. */
export async function callByHand(method: string, url: string, { token, key, body, claims }: Call): Promise<Answer> {
  const proof = await signDpopProof(key, {
    ...{ htm: method, htu: url, iat: epochSeconds(new Date()), jti: randomUUID(), access_token: token },
    ...(body && { bd: sha256Base64url(JSON.stringify(body)) }),
    ...claims,
  })
  return await send(method, url, { Authorization: `DPoP ${token}`, DPoP: proof }, body)
}

/** The token of an answer that must be one. */
export function tokenIn(answer: Answer): string {
  return String(expectStatus(answer, 200).access_token)
}
