import { publicMembers } from '../protocol/holder-key.ts'
import { importPublicJwk } from '../protocol/jwk.ts'
import { agentSubject } from '../protocol/names.ts'
import { type HolderKey, signKeyStatement } from '../protocol/sign.ts'
import { epochSeconds } from '../protocol/time.ts'
import { CliFailure, wrongUsage } from './failure.ts'
import { readObject } from './files.ts'
import type { Session } from './session.ts'

export type StatementFor = {
  readonly issuer: string
  readonly client_id: string
  readonly agent_id: string
  /** Signed by a key of the client, else by one of the agent. */
  readonly byClient: boolean
}

/** A key statement (protocol.md section 4) for this public JWK, good for `lifetime` seconds. Throws OAuthError. */
export async function statementFor(
  session: Session,
  signer: HolderKey,
  { issuer, client_id, agent_id, byClient }: StatementFor,
  jwk: object,
  lifetime: number,
): Promise<string> {
  const sub = agentSubject(client_id, agent_id)
  const { jkt } = await importPublicJwk({ ...jwk })
  const iat = epochSeconds(session.now())
  const iss = byClient ? client_id : sub
  return await signKeyStatement(signer, {
    iss,
    sub,
    aud: issuer,
    jkt,
    iat,
    exp: iat + lifetime,
    jti: session.randomId(),
  })
}

/** The public half of a JWK in a file, private or not. Throws CliFailure. */
export async function readPublicJwk(file: string | undefined): Promise<object> {
  if (file === undefined) throw wrongUsage('Give --key FILE or --generate-key FILE.')
  const jwk = publicMembers(await readObject(file))
  await importPublicJwk(jwk).catch(() => {
    throw new CliFailure('key_malformed', `The file ${file} is not a usable JWK.`, {
      next: 'It holds one public key: Ed25519, P-256, or RSA of 2048 bits or more.',
    })
  })
  return jwk
}
