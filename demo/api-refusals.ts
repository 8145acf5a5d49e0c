import { randomUUID } from 'node:crypto'
import { signDpopProof } from '../src/protocol/sign.ts'
import { epochSeconds } from '../src/protocol/time.ts'
import { generateKey } from './agents.ts'
import type { Attempt } from './attempt.ts'
import { callApi, expectStatus, send } from './remit-client.ts'
import type { Scene } from './scene.ts'

type Loot = {
  /** The intent token of step `collect`. */
  readonly access_token: string
  /** A token of the same app for another audience. */
  readonly other_token: string
}

/** What the API must not take. It is a stock library that refuses; its own words tell one refusal from another. */
export function apiAttempts(scene: Scene, { access_token, other_token }: Loot): readonly Attempt[] {
  const { key } = scene.agents.reader
  const notes = `${scene.api}/notes`
  return [
    {
      name: 'token_without_proof',
      attack: "The reader's token, stolen, sent to the API as a plain bearer token",
      meaning: 'The token is bound to a key. Without a proof by that key it is only text.',
      expected: {
        status: 401,
        error: 'invalid_token',
        error_description: 'operation indicated DPoP use but the request has no DPoP HTTP Header',
      },
      run: () => send('GET', notes, { Authorization: `Bearer ${access_token}` }),
    },
    {
      name: 'token_with_other_key',
      attack: "The reader's token, stolen, with a proof by the thief's key",
      meaning: 'The proof is a good one, but not by the key whose thumbprint is in the token.',
      expected: {
        status: 401,
        error: 'invalid_token',
        error_description: 'JWT Access Token confirmation mismatch',
      },
      run: async () => callApi('GET', notes, access_token, await generateKey()),
    },
    {
      name: 'token_for_other_audience',
      attack: 'A good token of the same app, but for Remit itself, sent to the API',
      meaning: 'A token is for one audience, so one API cannot use it at another.',
      expected: {
        status: 401,
        error: 'invalid_token',
        error_description: 'unexpected JWT "aud" (audience) claim value',
      },
      run: () => scene.app.call('GET', notes, other_token),
    },
    {
      name: 'replayed_call',
      attack: "A whole call of the reader's, token and proof, recorded and sent again",
      meaning: 'Each proof counts once at the API as well.',
      expected: { status: 401, error: 'invalid_dpop_proof' },
      async run() {
        const claims = { htm: 'GET', htu: notes, iat: epochSeconds(new Date()), jti: randomUUID(), access_token }
        const headers = { Authorization: `DPoP ${access_token}`, DPoP: await signDpopProof(key, claims) }
        expectStatus(await send('GET', notes, headers), 200)
        return await send('GET', notes, headers)
      },
    },
    {
      name: 'call_outside_scope',
      attack: "The reader's token and its key, used to publish",
      meaning: 'The token says notes:read and nothing else; the API holds it to that.',
      expected: { status: 403, error: 'insufficient_scope' },
      run: () => callApi('POST', `${scene.api}/reports`, access_token, key),
    },
  ]
}
