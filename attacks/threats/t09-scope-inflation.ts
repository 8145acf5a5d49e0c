import { decodeJwt } from 'jose'
import { z } from 'zod'
import type { Agent } from '../../src/shim/index.ts'
import { type Passing, throughTap } from '../network.ts'
import { clientToken as plainToken } from '../plain/world.ts'
import { callByHand, tokenIn } from '../remit/by-hand.ts'
import { ask } from '../remit/crew.ts'
import { answered, atApi, clientToken, throughShim } from '../seen.ts'
import { SCOPES, THEFT, WORKFLOW } from '../story.ts'
import type { Case, Seen, Threat } from '../threat.ts'
import type { World } from '../world.ts'

export const scopeInflation: Threat = {
  id: 'T9',
  name: 'Scope Inflation',
  aim: 'Get or use more scope than the step needs.',
  cases: [greedyAgent, onTheWire, stolenCredential],
}

async function greedyAgent({ plain, remit }: World): Promise<Case> {
  const { crew, api } = remit
  const { reader } = crew.members
  const collecting = async (asked: object) => answered(await ask(remit, crew, reader, { step: 'collect', ...asked }))
  return {
    power: 'm',
    how: 'A token has at most what client, grant, step and API allow together; more is refused, not trimmed. A proof can narrow a token for one call, never widen it.',
    plain: [
      {
        what: 'Ask for a scope that the client does not have',
        async run() {
          const { scope } = decodeJwt(await plain.token('salaries:read'))
          return { got: scope === 'salaries:read', answer: 'a token without it' }
        },
      },
      {
        what: 'Ask for every scope of the client',
        async run() {
          const token = await plain.token(SCOPES.join(' '))
          return answered(await plain.callWith(token, 'POST', '/payments', THEFT))
        },
      },
    ],
    remit: [
      {
        what: 'Ask for a scope more than the step has',
        refused: '400 invalid_scope',
        run: () => collecting({ scope: 'invoices:read entries:write' }),
      },
      { what: 'Ask for everything', refused: '400 invalid_scope', run: () => collecting({ scope: SCOPES.join(' ') }) },
      {
        what: 'Ask for another API',
        refused: '400 invalid_target',
        run: () => collecting({ more: { audience: remit.metadata.issuer } }),
      },
      {
        what: 'Say in the proof that the call has a scope more',
        refused: '403 insufficient_scope: proof_scope',
        async run() {
          const token = tokenIn(await ask(remit, crew, reader, { step: 'collect' }))
          const claims = { scope: 'invoices:read payments:write' }
          return await atApi(remit, () => callByHand('GET', `${api.url}/invoices`, { token, key: reader.key, claims }))
        },
      },
      {
        what: 'Use the token for another route',
        refused: '403 intent_denied: rule_step',
        async run() {
          const token = tokenIn(await ask(remit, crew, reader, { step: 'collect' }))
          const call = { token, key: reader.key, body: THEFT }
          return await atApi(remit, () => callByHand('POST', `${api.url}/payments`, call))
        },
      },
    ],
  }
}

async function onTheWire({ plain, remit, taps }: World): Promise<Case> {
  const { reader } = remit.crew.members
  const requested = z.looseObject({ requested_scopes: z.array(z.string()) })
  const reading = (agent: Agent) => {
    const step = { workflow_id: WORKFLOW, workflow_step: 'collect' }
    return agent.run(step, () => agent.fetch(`${remit.api.url}/invoices`))
  }
  /** Somebody between the app and Remit rewrites what the reader asks for. */
  async function rewritten(scopes: string[], step: object = {}): Promise<Seen> {
    const agent = reader.again({ fetch: taps.server.fetch })
    const rewrite = (body: string) =>
      JSON.stringify({ ...requested.parse(JSON.parse(body)), requested_scopes: scopes, ...step })
    return await throughTap(
      taps.server,
      call => (call.path.endsWith('/intent/token') ? { ...call, body: rewrite(call.body) } : call),
      () => throughShim(() => reading(agent)),
    )
  }
  return {
    power: 'n',
    how: 'What is asked for is judged by the record of client, agent and step, whoever wrote it; the token is bound to the agent’s key, so nobody on the way can use it.',
    plain: [
      {
        what: 'Rewrite the token request of an agent that asks for little, read the token, and pay',
        async run() {
          const { server, api } = plain
          const wide = (body: string) => {
            const form = new URLSearchParams(body)
            form.set('scope', SCOPES.join(' '))
            return form.toString()
          }
          const at = `${taps.plainServer.url}/token`
          const token = await throughTap(
            taps.plainServer,
            call => ({ ...call, body: wide(call.body) }),
            () => plainToken(server, api, 'invoices:read', at),
          )
          return answered(await plain.callWith(token, 'POST', '/payments', THEFT))
        },
      },
    ],
    remit: [
      {
        what: 'Turn a call for reading into a payment',
        refused: '401 invalid_dpop_proof: dpop_htm',
        async run() {
          const agent = reader.again({ fetch: taps.api.fetch })
          const pay = (call: Passing) => ({ ...call, method: 'POST', path: '/payments', body: JSON.stringify(THEFT) })
          return await atApi(remit, () => throughTap(taps.api, pay, () => throughShim(() => reading(agent))))
        },
      },
      {
        what: 'Rewrite the scopes of a token request',
        refused: 'shim invalid_dpop_proof',
        run: () => rewritten(['invoices:read', 'payments:write']),
      },
      {
        what: 'Rewrite the step of a token request',
        refused: 'shim invalid_dpop_proof',
        run: () => rewritten(['payments:write'], { workflow_step: 'pay' }),
      },
    ],
  }
}

async function stolenCredential({ plain, remit }: World): Promise<Case> {
  const { crew, api, metadata } = remit
  const clientGets = (resource: string, scope: string) => clientToken(crew.client.clientToken(resource, scope))
  return {
    power: 's',
    how: 'The client’s access is a ceiling for its agents: scopes that the API’s owner has marked are minted for a step only, never for the client itself.',
    plain: [
      {
        what: 'Get every scope with the secret of the client',
        run: async () => answered(await plain.callWith(await plain.token(), 'POST', '/payments', THEFT)),
      },
    ],
    remit: [
      {
        what: 'Get the scopes of the agents for the client itself: reading',
        refused: 'no token: invalid_scope',
        run: () => clientGets(api.url, 'invoices:read'),
      },
      {
        what: 'Get the scopes of the agents for the client itself: paying',
        refused: 'no token: invalid_scope',
        run: () => clientGets(api.url, 'payments:write'),
      },
      {
        what: 'Get scopes at Remit that the client was not given',
        refused: 'no token: invalid_scope',
        run: () => clientGets(metadata.issuer, 'generate:intent-token read:agent-components'),
      },
    ],
  }
}
