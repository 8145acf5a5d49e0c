import { z } from 'zod'
import { generateKey } from '../../demo/agents.ts'
import { type Answer, send } from '../../demo/remit-client.ts'
import { type Passing, type Tap, throughTap } from '../network.ts'
import { clientToken } from '../plain/world.ts'
import { boundsOf } from '../remit/bounds.ts'
import { callByHand, tokenIn } from '../remit/by-hand.ts'
import { ask } from '../remit/crew.ts'
import { collect, json } from '../remit/work.ts'
import { answered, atApi, throughShim } from '../seen.ts'
import { ENTRY, THEFT } from '../story.ts'
import type { Attempt, Case, Seen, Threat } from '../threat.ts'
import type { World } from '../world.ts'

export const tokenReplay: Threat = {
  id: 'T2',
  name: 'Token Replay Attacks',
  aim: 'Use a token, or a whole call, that belongs to somebody else.',
  cases: [onTheWire, stolenToken, codeInTheProcess],
}

async function onTheWire({ plain, remit, taps }: World): Promise<Case> {
  const crew = await remit.hire()
  const { bookkeeper } = crew.members
  const execution = await collect(remit, crew)
  const agent = bookkeeper.again({ fetch: taps.api.fetch })
  const bookThere = () =>
    agent.run({ execution, workflow_step: 'book' }, () => agent.fetch(`${remit.api.url}/entries`, json(ENTRY)))
  const changed =
    (change: (call: Passing) => Passing): Attempt['run'] =>
    async () => {
      await bookThere()
      return await atApi(remit, () => sendAgain(taps.api, change))
    }
  const token = ({ headers }: Passing) => (headers.authorization ?? '').replace('DPoP ', '')
  return {
    power: 'n',
    how: 'Each call carries a proof by the agent’s key over method, URL, token and body, good once: what was seen on the way is good for nothing, and what is changed on the way is refused. The query string is in no proof: an API must not act on it.',
    plain: [
      {
        what: 'Read the token on the way and pay with it',
        async run() {
          await plain.call('POST', '/entries', { agent: 'bookkeeper', body: ENTRY, api: taps.plainApi.url })
          return await sendAgain(taps.plainApi, call => ({ ...call, path: '/payments', body: JSON.stringify(THEFT) }))
        },
      },
    ],
    remit: [
      {
        what: 'Send the same call once more',
        refused: '401 invalid_dpop_proof: dpop_replayed',
        run: changed(call => call),
      },
      {
        what: 'Send token and proof to the payments',
        refused: '401 invalid_dpop_proof: dpop_htu',
        run: changed(call => ({ ...call, path: '/payments', body: JSON.stringify(THEFT) })),
      },
      {
        what: 'Send them with another method',
        refused: '401 invalid_dpop_proof: dpop_htm',
        run: changed(call => ({ ...call, method: 'GET', path: '/invoices', body: '' })),
      },
      {
        what: 'Take the proof away and send the token as Bearer',
        refused: '401 invalid_token: bound_token_as_bearer',
        run: changed(({ headers: { dpop: _, ...headers }, ...call }) => {
          return { ...call, headers: { ...headers, authorization: `Bearer ${token({ ...call, headers })}` } }
        }),
      },
      {
        what: 'Hold a call back and send it on with another body',
        refused: '401 invalid_dpop_proof: bd_mismatch',
        run: () => {
          const swap = (call: Passing) => ({ ...call, body: JSON.stringify(THEFT) })
          return atApi(remit, () => throughTap(taps.api, swap, () => throughShim(bookThere)))
        },
      },
      {
        what: 'Record a token request at Remit and send it once more',
        refused: '401 invalid_client',
        async run() {
          const { reader } = crew.members
          const minting = reader.again({ fetch: taps.server.fetch })
          await minting.run({ workflow_id: 'pay-invoice', workflow_step: 'collect' }, async () => {})
          return await sendAgain(taps.server, call => call)
        },
      },
    ],
  }
}

async function stolenToken({ plain, remit }: World): Promise<Case> {
  const { crew, api } = remit
  const { reader } = crew.members
  const thief = await generateKey()
  const stolen = async () => tokenIn(await ask(remit, crew, reader, { step: 'collect' }))
  const invoices = `${api.url}/invoices`
  const use = async (call: (token: string) => Promise<Answer>) => {
    const token = await stolen()
    return await atApi(remit, () => call(token))
  }
  return {
    power: 's',
    how: 'The token names the thumbprint of the agent’s key; without a proof by that key it is only text.',
    plain: [
      {
        what: 'Change the stolen token',
        run: async () => answered(await plain.callWith(`${await plain.token()}AA`, 'GET', '/invoices')),
      },
      {
        what: 'Use the stolen token',
        run: async () => answered(await plain.callWith(await clientToken(plain.server, plain.api), 'GET', '/invoices')),
      },
    ],
    remit: [
      {
        what: 'Send it as Bearer',
        refused: '401 invalid_token: bound_token_as_bearer',
        run: () => use(token => send('GET', invoices, { Authorization: `Bearer ${token}` })),
      },
      {
        what: 'Send it as DPoP without a proof',
        refused: '401 invalid_token: proof_missing',
        run: () => use(token => send('GET', invoices, { Authorization: `DPoP ${token}` })),
      },
      {
        what: 'Send it with a proof by the thief’s key',
        refused: '401 invalid_token: proof_by_another_key',
        run: () => use(token => callByHand('GET', invoices, { token, key: thief })),
      },
      {
        what: 'Get another token with it, at Remit',
        refused: '401 invalid_token',
        async run() {
          const headers = { Authorization: `Bearer ${await stolen()}` }
          const request = { grant_type: 'agent_checksum', agent_id: 'reader', computed_checksum: reader.checksum }
          const asked = { ...request, requested_scopes: ['invoices:read'], audience: api.url }
          return answered(await send('POST', remit.metadata.ajwt_intent_token_endpoint, headers, asked))
        },
      },
    ],
  }
}

async function codeInTheProcess({ plain, remit }: World): Promise<Case> {
  const crew = await remit.hire()
  const { reader } = crew.members
  const { execution_id } = await collect(remit, crew)
  return {
    power: 'c',
    how: 'Code that has the agent’s key in its hands signs as many proofs as it likes. Bounds: the scope and the step of the token, its end, revocation; taken away from the process without the key the token is dead.',
    plain: [
      {
        what: 'Use the token in memory',
        run: async () => answered(await plain.callWith(await plain.token(), 'GET', '/invoices')),
      },
    ],
    remit: [
      {
        what: 'Use the token and the key in memory once more',
        async run() {
          const token = tokenIn(await ask(remit, crew, reader, { step: 'collect', execution_id }))
          await callByHand('GET', `${remit.api.url}/invoices`, { token, key: reader.key })
          return answered(await callByHand('GET', `${remit.api.url}/invoices`, { token, key: reader.key }))
        },
      },
    ],
    bounds: await boundsOf(remit, crew, { victim: reader, step: 'collect', execution_id }),
  }
}

/** Sends the last call that passed again, changed. */
async function sendAgain(tap: Tap, change: (call: Passing) => Passing): Promise<Seen> {
  const last = tap.passed.at(-1)
  if (!last) throw new Error('Nothing passed.')
  const { status, text } = await tap.send(change(last))
  return answered({ status, body: z.record(z.string(), z.json()).parse(JSON.parse(text)), headers: new Headers() })
}
