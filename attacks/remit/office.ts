import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeJwt } from 'jose'
import { bootstrap, createClient, logIn } from '../../demo/administration.ts'
import { generateKey } from '../../demo/agents.ts'
import { type ForeignIssuer, startForeignIssuer } from '../../demo/foreign-issuer.ts'
import { discover } from '../../demo/remit-client.ts'
import { type Defer, startRemit } from '../../demo/remit-server.ts'
import { emptyLedger } from '../ledger.ts'
import { listen } from '../listen.ts'
import { APP } from '../story.ts'
import { type Crew, type Hiring, hireCrew, type Office } from './crew.ts'
import { type LedgerApi, serveLedgerApi } from './ledger-api.ts'

/** Remit as an attacker finds it: a server process, an API behind the verifier, two administrators, an app at work. */
export type Remit = Office & {
  readonly foreign: ForeignIssuer
  /** An ID token that nobody has used: two of one second are one token, and one token begins one execution. */
  readonly signIn: (person: string) => Promise<string>
  /** The app that works all the time. */
  readonly crew: Crew
  /** Another set of agents under a client of its own, to be broken. */
  readonly hire: (hiring?: Hiring) => Promise<Crew>
  readonly defer: Defer
}

/** The application at which the people of the foreign issuer sign in to start an execution. */
export const SIGN_IN = 'desk-sign-in'

const SIGN_IN_AGAIN_MS = 100
/** Clients of their own for sets of agents that get broken. */
const DESKS = Array.from({ length: 24 }, (_, index) => `${APP}-${index + 1}`)

/** Starts all of it. The API owner marks each scope: reading and booking need a recorded step, paying an approval. */
export async function startOffice(dir: string, defer: Defer): Promise<Remit> {
  const dataDir = join(dir, 'remit')
  await mkdir(dataDir)
  const { issuer, adminUrl, bootstrapToken } = await startRemit(dataDir, defer)
  const server = { metadata: await discover(issuer), adminUrl }
  const key = await generateKey()
  const scope = 'admin:clients admin:resources approve:agents approve:steps revoke audit:read'
  const anna = await logIn(server, await bootstrap(server, await bootstrapToken(), key), key, scope)
  const deciding = 'approve:agents approve:steps revoke'
  const second = await createClient(anna, server, {
    client_id: 'ben-operations',
    client_name: 'Ben, operations',
    owner: 'user:local:ben',
    kind: 'operator',
    grant_types: ['client_credentials'],
    access: [{ resource: `${issuer}/admin`, scope: deciding }],
  })
  const ben = await logIn(server, 'ben-operations', second.key, deciding)
  const apiServer = createServer()
  const url = await listen(apiServer, defer)
  const api: LedgerApi = { url, ledger: emptyLedger(), clients: [APP, ...DESKS], refused: undefined, ahead: 0 }
  await anna.create('/resources', {
    resource: api.url,
    scopes: [
      { name: 'invoices:read', workflow: true },
      { name: 'entries:write', workflow: true },
      { name: 'payments:write', approval: true },
    ],
  })
  serveLedgerApi(apiServer, api, issuer)
  const office = { ...server, anna, ben, api }
  const crew = await hireCrew(office, APP)
  const free = DESKS.values()
  const foreign = await trustIssuer(office, defer)
  const used = new Set<string>()
  return {
    ...office,
    crew,
    foreign,
    async signIn(person) {
      for (;;) {
        const token = await foreign.signIn(person, SIGN_IN)
        const { sub, iat } = decodeJwt(token)
        const signedIn = `${sub} ${iat}`
        if (!used.has(signedIn)) {
          used.add(signedIn)
          return token
        }
        await sleep(SIGN_IN_AGAIN_MS)
      }
    },
    defer,
    async hire(hiring) {
      const { value: client_id } = free.next()
      if (client_id === undefined) throw new Error('The API knows of no further desk.')
      return await hireCrew(office, client_id, hiring)
    },
  }
}

/** Alice and Mallory have accounts at a provider whose people may start executions of the app. */
async function trustIssuer({ anna }: Office, defer: Defer): Promise<ForeignIssuer> {
  const applications = [{ client_id: SIGN_IN }, { client_id: 'another-app' }]
  const foreign = await startForeignIssuer({ people: { alice: {}, mallory: {} }, applications })
  defer(foreign.close)
  await anna.create('/trusted-issuers', {
    ...{ name: 'corp', purpose: 'user', issuer: foreign.issuer, jwks_uri: foreign.jwks_uri, algs: ['ES256'] },
    ...{ audience: SIGN_IN, typ_may_be_absent: true, clients: [APP] },
  })
  return foreign
}
