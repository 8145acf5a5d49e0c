import { randomBytes } from 'node:crypto'
import { decodeJwt, generateKeyPair, SignJWT } from 'jose'
import type { Answer } from '../../demo/remit-client.ts'
import { accessTokenClaimsSchema } from '../../src/protocol/claims.ts'
import { createExecution } from '../../src/shim/index.ts'
import { throughTap } from '../network.ts'
import { tokenIn } from '../remit/by-hand.ts'
import { ask } from '../remit/crew.ts'
import { type Remit, SIGN_IN } from '../remit/office.ts'
import { collect, json } from '../remit/work.ts'
import { answered, atApi, throughShim } from '../seen.ts'
import { ENTRY, THEFT, WORKFLOW } from '../story.ts'
import type { Case, Seen, Threat } from '../threat.ts'
import type { World } from '../world.ts'

export const intentOriginForgery: Threat = {
  id: 'T10',
  name: 'Intent Origin Forgery',
  aim: 'Have the record say that Alice wanted it, who asked for nothing.',
  cases: [world => forging(world, 'm'), onTheWire, world => forging(world, 's')],
}

const ALICE = 'user:corp:alice'
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token'

/** A token got under Alice's name is what the attacker is after; one under another name is worth nothing to them. */
function underAlice(answer: Answer): Seen {
  if (answer.status !== 200) return answered(answer)
  const { initiated_by = 'nobody' } = accessTokenClaimsSchema.parse(decodeJwt(tokenIn(answer))).intent ?? {}
  return { got: initiated_by === ALICE, answer: initiated_by === ALICE ? `200 for ${ALICE}` : '200, not for Alice' }
}

/** Under `m` Mallory, a user of the app, has the agent lie; under `s` the thief has its credential and Alice's old tokens. */
async function forging({ plain, remit }: World, power: 'm' | 's'): Promise<Case> {
  const { crew, foreign } = remit
  const { reader } = crew.members
  const signedIn = await remit.signIn('alice')
  const collecting = async (subject_token: string, more = {}) =>
    underAlice(
      await ask(remit, crew, reader, {
        step: 'collect',
        more: { subject_token, subject_token_type: ID_TOKEN, ...more },
      }),
    )
  const stolen = [
    {
      what: 'An ID token that Alice got at another application',
      refused: '400 invalid_request',
      run: async () => collecting(await foreign.signIn('alice', 'another-app')),
    },
    {
      what: 'An intent token of an execution of Alice’s as her word',
      refused: '400 invalid_request',
      async run() {
        const begun = await ask(remit, crew, reader, {
          step: 'collect',
          more: { subject_token: signedIn, subject_token_type: ID_TOKEN },
        })
        return await collecting(tokenIn(begun))
      },
    },
    {
      what: 'Alice’s ID token, stolen with the client’s credential, and no key of an agent',
      refused: '400 invalid_dpop_proof (agent_key_mismatch)',
      async run() {
        const more = { subject_token: signedIn, subject_token_type: ID_TOKEN }
        return underAlice(await ask(remit, crew, reader, { step: 'collect', more }, crew.key))
      },
    },
  ]
  const told = [
    {
      what: 'An ID token about Alice that the attacker signed',
      refused: '400 invalid_request',
      run: async () => collecting(await forgedIdToken(remit)),
    },
    {
      what: 'Mallory’s own ID token, with its subject changed to Alice',
      refused: '400 invalid_request',
      run: async () => collecting(renamed(await remit.signIn('mallory'))),
    },
    {
      what: 'Words in the request: initiated_by, sub, act',
      refused: '200, not for Alice',
      run: async () =>
        underAlice(
          await ask(remit, crew, reader, {
            step: 'collect',
            more: { initiated_by: ALICE, sub: ALICE, act: { sub: ALICE } },
          }),
        ),
    },
    {
      what: 'Join the execution that Alice began, with Mallory’s own sign-in',
      refused: '403 delegation_unauthorized',
      async run() {
        const { execution_id } = await collect(remit, crew, { subject_token: await remit.signIn('alice') })
        return await collecting(await remit.signIn('mallory'), { execution_id })
      },
    },
    {
      what: 'Guess an execution of Alice’s',
      refused: '403 workflow_step_unauthorized',
      async run() {
        const execution_id = `exe_${randomBytes(16).toString('base64url')}`
        return underAlice(await ask(remit, crew, reader, { step: 'collect', execution_id }))
      },
    },
  ]
  return {
    power,
    how: 'Whose intent it is comes from a sign-in that an issuer signed, for this application and a named client, and stays with the execution; no word of a caller changes it.',
    plain: [
      {
        what: 'Say that it is for Alice: there is nothing but the app’s word',
        async run() {
          const headers = { 'x-agent': 'payer', 'x-on-behalf-of': 'alice' }
          const answer = await plain.callWith(await plain.token(), 'POST', '/payments', THEFT, headers)
          return answered(answer, answer.status === 200 && plain.ledger.done.at(-1)?.for === 'alice')
        },
      },
    ],
    remit: power === 'm' ? told : stolen,
  }
}

async function onTheWire({ plain, remit, taps }: World): Promise<Case> {
  const { crew } = remit
  const { reader, bookkeeper } = crew.members
  return {
    power: 'n',
    how: 'The name is in the token that Remit signed, and the call is bound to the token: somebody on the way has nothing to write it on. The shim’s proofs name the bodies of token requests, too.',
    plain: [
      {
        what: 'Change the name on the way',
        async run() {
          const answer = await throughTap(
            taps.plainApi,
            call => ({ ...call, headers: { ...call.headers, 'x-on-behalf-of': 'alice' } }),
            () =>
              plain.call('POST', '/payments', { agent: 'payer', user: 'mallory', body: THEFT, api: taps.plainApi.url }),
          )
          return answered(answer, answer.status === 200 && plain.ledger.done.at(-1)?.for === 'alice')
        },
      },
    ],
    remit: [
      {
        what: 'Write Alice’s name on a call: in headers, and in the claims of the token',
        refused: '401 invalid_token: jws_signature',
        async run() {
          const agent = reader.again({ fetch: taps.api.fetch })
          return await atApi(remit, () =>
            throughTap(
              taps.api,
              call => {
                const authorization = `DPoP ${renamed(call.headers.authorization?.slice(5) ?? '')}`
                return { ...call, headers: { ...call.headers, authorization, 'x-on-behalf-of': 'alice' } }
              },
              () =>
                throughShim(() =>
                  agent.run({ workflow_id: WORKFLOW, workflow_step: 'collect' }, () =>
                    agent.fetch(`${remit.api.url}/invoices`),
                  ),
                ),
            ),
          )
        },
      },
      {
        what: 'Put the work of the bookkeeper for Mallory into the execution that Alice began, in its token request',
        refused: 'shim invalid_dpop_proof',
        async run() {
          const begin = async (person: string) => {
            const { execution_id = '' } = await collect(remit, crew, {
              subject_token: await remit.signIn(person),
            })
            return execution_id
          }
          const [alice, mallory] = [await begin('alice'), await begin('mallory')]
          const agent = bookkeeper.again({ fetch: taps.server.fetch })
          const step = {
            execution: createExecution({ workflow_id: WORKFLOW, execution_id: mallory }),
            workflow_step: 'book',
          }
          const seen = await throughTap(
            taps.server,
            call => ({ ...call, body: call.body.replace(mallory, alice) }),
            () => throughShim(() => agent.run(step, () => agent.fetch(`${remit.api.url}/entries`, json(ENTRY)))),
          )
          return { ...seen, got: seen.got && remit.api.ledger.done.at(-1)?.for === ALICE }
        },
      },
    ],
  }
}

/** Made as the provider makes them, with its name and another key. */
async function forgedIdToken({ foreign }: Remit): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256')
  return await new SignJWT()
    .setProtectedHeader({ alg: 'ES256', kid: 'anything' })
    .setIssuer(foreign.issuer)
    .setAudience(SIGN_IN)
    .setSubject('alice')
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(privateKey)
}

/** Another name in the payload, under the signature as it was. */
function renamed(jwt: string): string {
  const [header = '', payload = '', signature = ''] = jwt.split('.')
  const text = Buffer.from(payload, 'base64url')
    .toString()
    .replace(/"(mallory|agent:[^"]*:reader)"/g, '"alice"')
  return [header, Buffer.from(text).toString('base64url'), signature].join('.')
}
