import type { Command } from 'commander'
import { z } from 'zod'
import { OAuthError } from '../protocol/errors.ts'
import type { HolderKey } from '../protocol/sign.ts'
import { remoteJwks } from '../verifier/remote-jwks.ts'
import { createVerifier, type Verifier } from '../verifier/verify.ts'
import { CliFailure } from './failure.ts'
import { readKeyFile } from './keys.ts'
import { issuerOf } from './profile.ts'
import { openSession, type Session } from './session.ts'
import { discover, proofFor } from './token-client.ts'
import { decodeToken, readToken } from './token-decode.ts'

const verifyOptions = z.object({ audience: z.string(), key: z.string().optional() })

type Possession = 'proven' | 'not checked' | 'not needed'

export function addTokenVerify(token: Command): void {
  token
    .command('verify')
    .description(
      'check a token as the API would: signature, claims and, with --key, possession; revocation is not looked up',
    )
    .argument('<token>', 'the token, or "-" for standard input')
    .requiredOption('--audience <uri>', 'the API that the token must be for')
    .option('--key <file>', 'private JWK of the agent, to prove possession as a request would')
    .action(async (text: string, _options, command: Command) => {
      const session = openSession(command)
      const options = verifyOptions.parse(command.opts())
      const token = await readToken(text)
      const { payload, header } = decodeToken(token)
      const key = options.key === undefined ? undefined : await readKeyFile(options.key)
      const { issuer, jwks_uri } = await discover(await issuerOf(session))
      const verifier = createVerifier({ issuer, audience: options.audience, jwks: remoteJwks(jwks_uri) })
      const possession = await verify(session, verifier, { token, isBound: payload.cnf !== undefined, key })
      session.out.note(
        `Good for ${options.audience} by signature and claims (possession of its key: ${possession}); revocation is not looked up.`,
      )
      const result = { valid: true, possession, kid: header.kid, claims: payload }
      session.out.result(result, JSON.stringify(payload, null, 2))
    })
}

async function verify(
  session: Session,
  verifier: Verifier,
  { token, isBound, key }: { token: string; isBound: boolean; key: HolderKey | undefined },
): Promise<Possession> {
  const url = 'https://resource.invalid/'
  const dpop = isBound && key ? await proofFor(session, key, { htm: 'GET', htu: url, access_token: token }) : undefined
  try {
    await verifier.verify({ authorization: `${isBound ? 'DPoP' : 'Bearer'} ${token}`, dpop, method: 'GET', url })
    return isBound ? 'proven' : 'not needed'
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error
    // The verifier asks for the proof last: everything about the token itself holds by then.
    if (error.reason === 'proof_missing' && key === undefined) return 'not checked'
    throw new CliFailure(error.reason, error.message, { next: NEXT[error.reason] })
  }
}

const NEXT: Readonly<Record<string, string>> = {
  token_aud: 'The token is for another API: "remit token decode" shows which.',
  token_iss: 'The token is of another issuer: name it with --url.',
  token_kid: 'The issuer does not publish the key that signed it: name the right issuer with --url.',
  proof_by_another_key: 'Give the key that the agent used when it asked for the token.',
}
