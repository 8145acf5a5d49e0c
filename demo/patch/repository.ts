import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { sha256Base64url } from '../../src/protocol/digest.ts'
import { OAuthError } from '../../src/protocol/errors.ts'
import { canonicalJson } from '../../src/protocol/jcs.ts'
import { parseStrictJson } from '../../src/protocol/json.ts'
import { createVerifier, remoteAgentKeys, remoteJwks, verifyDelegationProofs } from '../../src/verifier/index.ts'

type Result = { readonly status: number; readonly body: object }

/**
 * An API that refuses safely with Remit's verifier: token and proof, the step, the delegation by the agents' own
 * signatures, and that the body is what somebody approved.
 */
export async function startRepository(
  resource: string,
  issuer: string,
): Promise<{ readonly stop: () => Promise<void> }> {
  const verifier = createVerifier({ issuer, audience: resource, jwks: remoteJwks(`${issuer}/.well-known/jwks.json`) })
  const rootKeys = remoteAgentKeys(issuer)
  const used = new Set<string>()
  const server = createServer((request, response) => {
    handle(request)
      .catch(refusal)
      .then(result => answer(response, result))
  })

  async function handle(incoming: IncomingMessage): Promise<Result> {
    const { authorization, dpop } = incoming.headers
    const verified = await verifier.verify({
      authorization,
      dpop: typeof dpop === 'string' ? dpop : undefined,
      method: incoming.method ?? '',
      url: `${resource}${incoming.url ?? ''}`,
    })
    const { claims, proof } = verified
    const use = `${proof?.jkt} ${proof?.jti}`
    if (!proof || used.has(use)) return denied('invalid_dpop_proof', 'The DPoP proof was used before.')
    used.add(use)
    const body = parseStrictJson(Buffer.concat(await incoming.toArray()))
    const { intent } = claims
    if (claims.client_id !== 'patch-app' || intent?.state !== 'recorded' || intent.workflow_step !== 'patch') {
      return denied('intent_denied', 'Only step patch of patch-app, recorded by the server, changes the repository.')
    }
    if (intent.approval?.arguments_digest !== sha256Base64url(canonicalJson(body))) {
      return denied('intent_denied', 'This is not the change that was approved.')
    }
    const { chain, anchored } = await verifyDelegationProofs(claims, { issuer, rootKeys })
    if (!anchored) return denied('intent_denied', 'The chain does not begin with a registered key.')
    return { status: 200, body: { applied: true, for: claims.sub, chain } }
  }

  const { hostname, port } = new URL(resource)
  server.listen(Number(port), hostname)
  await new Promise<void>((resolve, reject) => server.once('listening', resolve).once('error', reject))
  return {
    async stop() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function denied(error: string, error_description: string): Result {
  return { status: 403, body: { error, error_description } }
}

function refusal(error: unknown): Result {
  if (!(error instanceof OAuthError)) return { status: 500, body: { error: 'server_error' } }
  return { status: 401, body: { error: error.code, error_description: error.message } }
}

function answer(response: ServerResponse, { status, body }: Result): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
