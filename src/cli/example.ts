import { z } from 'zod'
import { AGENT_GRANT_SHORT, CLIENT_CREDENTIALS_GRANT } from '../protocol/grant-types.ts'
import { adminClient } from './admin-client.ts'
import { CliFailure } from './failure.ts'
import { readProfile } from './profile.ts'
import type { ProtectedClient } from './protected-client.ts'
import type { Session } from './session.ts'

const RESOURCE = 'https://api.example.test'
const CLIENT_ID = 'hello-app'

export type Example = {
  readonly resource: string
  readonly client_id: string
  readonly client_secret: string
  /** Lines for a shell, from the client's secret to an intent token. */
  readonly curl: readonly string[]
}

/**
 * An API and a client that need no DPoP, so that a newcomer gets a first intent token by hand. The secret is saved
 * nowhere. Throws CliFailure.
 */
export async function createExample(session: Session, owner: string): Promise<Example> {
  const { issuer } = await readProfile(session)
  checkExampleFits(issuer)
  const resources = await adminClient(session, 'admin:resources')
  const scopes = [{ name: 'read' }, { name: 'write' }]
  try {
    await resources.post('/admin/v1/resources', { resource: RESOURCE, scopes, allow_bearer: true })
  } catch (error) {
    // Made by an earlier try that did not get to the client.
    if (!(error instanceof CliFailure) || error.code !== 'conflict') throw error
  }
  const clients = await adminClient(session, 'admin:clients')
  const created = await createOnce(clients, {
    client_id: CLIENT_ID,
    client_name: 'Hello',
    owner,
    kind: 'app',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: [CLIENT_CREDENTIALS_GRANT, AGENT_GRANT_SHORT],
    access: [
      { resource: issuer, scope: 'generate:intent-token register:intent register:workflow' },
      { resource: RESOURCE, scope: 'read write' },
    ],
    policies: { agent_proof: 'optional', default_grant: 'client', allow_bearer: true },
  })
  const { client_secret } = z.object({ client_secret: z.string() }).parse(created)
  session.out.note('Paste these lines into a shell. The secret in them is not shown again.')
  return { resource: RESOURCE, client_id: CLIENT_ID, client_secret, curl: curlLines(issuer, client_secret) }
}

/** The example goes without approvals and keys, which production refuses. Throws CliFailure. */
export function checkExampleFits(issuer: string): void {
  if (!issuer.startsWith('https:')) return
  throw new CliFailure('example_refused', `The example is for development, and ${issuer} is https: none was made.`, {
    next: 'Make clients with "remit client create" (--help shows one), or run "remit init" without --example.',
  })
}

async function createOnce(clients: ProtectedClient, body: object): Promise<unknown> {
  try {
    return await clients.post('/admin/v1/clients', body)
  } catch (error) {
    if (!(error instanceof CliFailure) || error.code !== 'conflict') throw error
    throw new CliFailure('conflict', `The example client ${CLIENT_ID} exists; its secret cannot be shown again.`, {
      next: 'Use the lines that were printed then, or make a client of your own: "remit client create --help" shows one.',
    })
  }
}

/** The README has the same lines. */
export function curlLines(issuer: string, client_secret: string): string[] {
  const agent = `{"agent_id":"hello","prompt_template":"Say hello.","tools":[]}`
  return [
    `ISSUER=${issuer} APP=${CLIENT_ID}:${client_secret}`,
    `member() { node -p "const t = fs.readFileSync(0, 'utf8'), a = t ? JSON.parse(t) : 'no answer'; a.$1 ?? (console.error(a), process.exit(1))"; }`,
    `ACCESS=$(curl -sS -u $APP $ISSUER/oauth/token -d grant_type=${CLIENT_CREDENTIALS_GRANT} -d scope=register:intent | member access_token)`,
    `CHECKSUM=$(curl -sS $ISSUER/intent/register/agent -H "Authorization: Bearer $ACCESS" -H 'Content-Type: application/json' \\`,
    `  -d '{"app_id":"${CLIENT_ID}","agent_components":${agent}}' | member checksum)`,
    `TOKEN=$(curl -sS -u $APP $ISSUER/oauth/token -d grant_type=${AGENT_GRANT_SHORT} -d agent_id=hello -d computed_checksum=$CHECKSUM \\`,
    `  -d scope=read -d resource=${RESOURCE} | member access_token)`,
    `[ "$TOKEN" ] && node -p 'JSON.parse(Buffer.from(process.argv[1].split(".")[1], "base64url"))' $TOKEN`,
  ]
}
