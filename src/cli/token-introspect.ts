import type { Command } from 'commander'
import { createLocalJWKSet, errors, jwtVerify } from 'jose'
import { z } from 'zod'
import { jwksSchema, type ServerMetadata } from '../protocol/metadata.ts'
import { addCredentialOptions, readCredential } from './credential.ts'
import { CliFailure } from './failure.ts'
import { fetchAnswer, fetchJson, refusalOf, withOneRepeat } from './http.ts'
import { issuerOf } from './profile.ts'
import { openSession } from './session.ts'
import { authenticate, discover } from './token-client.ts'
import { readToken } from './token-decode.ts'

const SIGNED = 'application/token-introspection+jwt'
const options = z.object({ signed: z.boolean().default(false) })
const answerSchema = z.looseObject({ active: z.boolean() })
const signedSchema = z.object({ token_introspection: answerSchema })

export function addTokenIntrospect(token: Command): void {
  addCredentialOptions(token.command('introspect'))
    .description('ask the server about a token: as its own client, or as the client of its API')
    .argument('<token>', 'the token, or "-" for standard input')
    .option('--signed', 'ask for the signed answer (RFC 9701) and verify it')
    .addHelpText('after', '\nWhoever may not know gets the same answer as for a dead token: { "active": false }.')
    .action(async (text: string, _options, command: Command) => {
      const session = openSession(command)
      const { signed } = options.parse(command.opts())
      const token = await readToken(text)
      const credential = await readCredential(command)
      const metadata = await discover(await issuerOf(session))
      const url = metadata.introspection_endpoint
      const sent = await withOneRepeat(async () => {
        const { headers, body } = await authenticate(session, metadata.issuer, credential)
        headers.set('accept', signed ? SIGNED : 'application/json')
        return await fetchAnswer(url, { method: 'POST', headers, body: new URLSearchParams({ token, ...body }) })
      })
      if (sent.status !== 200) throw refusalOf(sent, url)
      const found = signed
        ? await verified(metadata, credential.client_id, sent.text, session.now())
        : answerSchema.parse(sent.body)
      session.out.note(
        found.active ? 'The token is active.' : 'The token is not active, or not for this client to know.',
      )
      session.out.result(found, JSON.stringify(found, null, 2))
    })
}

/** The answer in a JWT by one of the issuer's published keys, for this client and for now. Throws CliFailure. */
async function verified(
  { issuer, jwks_uri, introspection_signing_alg_values_supported: algorithms }: ServerMetadata,
  audience: string,
  text: string,
  currentDate: Date,
): Promise<z.output<typeof answerSchema>> {
  const keys = createLocalJWKSet(jwksSchema.parse((await withOneRepeat(() => fetchJson(jwks_uri))).body))
  const typ = SIGNED.replace('application/', '')
  const expected = {
    issuer,
    audience,
    typ,
    algorithms,
    currentDate,
    clockTolerance: 10,
    requiredClaims: ['exp', 'iat'],
  }
  try {
    return signedSchema.parse((await jwtVerify(text, keys, expected)).payload).token_introspection
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error
    throw new CliFailure('answer_not_verified', `The signed answer is not one of ${issuer} for ${audience}.`, {
      next: 'Check --url and the clock of this machine.',
    })
  }
}
