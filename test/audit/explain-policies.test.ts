import { clientCredentials, send } from '../attacks/attempt.ts'
import { givenAgent, givenClient } from '../attacks/given.ts'
import { minted, stepAttempt } from '../attacks/recorded.ts'
import { testKey } from '../protocol/forge.ts'
import { delegate } from '../token/delegating.ts'
import { byAgent, byClient, mintWith, statementFor } from '../token/statement.ts'
import { givenCeilings, type Row } from './ceiling-scene.ts'

const scene = await givenCeilings()
const { world, ctx, asAdmin, planner, worker } = scene
const { sent, soloOf, mint, step, ofPerson, called, registering, defining } = scene
const hex = (digit: string) => digit.repeat(64)
await asAdmin('POST', '/admin/v1/shim-releases', { version: '1.0.0', checksum: hex('a') })
await asAdmin('POST', '/admin/v1/shim-releases', { version: '2.0.0', checksum: hex('b'), minimum: true })

async function withShim(header?: string): Promise<string> {
  const attempt = mint(await soloOf({ shim: 'min_release' }))
  return await sent({ ...attempt, headers: { 'X-Shim-Checksum': header } })
}

function shimSides(sent: RegExp): Row['sides'] {
  return {
    'compared shim_sent': sent,
    'compared shim_minimum': /^2\.0\.0$/,
    'client policies': /shim min_release/,
  }
}

const rows: readonly Row[] = [
  {
    ...{ reason: 'shim_none', by: 'policy shim' },
    refused: () => withShim(),
    sides: shimSides(/^none$/),
  },
  {
    ...{ reason: 'shim_malformed', by: 'policy shim' },
    refused: () => withShim(`sha256:${hex('b')}`),
    sides: shimSides(/^malformed$/),
  },
  {
    ...{ reason: 'shim_unknown', by: 'policy shim' },
    refused: () => withShim(`sha256 ${hex('c')}`),
    sides: shimSides(/^unknown, sha256:c{64}$/),
  },
  {
    ...{ reason: 'shim_below_minimum', by: 'policy shim' },
    refused: () => withShim(`sha256 ${hex('a')}`),
    sides: shimSides(/^1\.0\.0, sha256:a{64}$/),
  },
  {
    ...{ reason: 'drain_too_long', by: 'policy max_drain_seconds, at a registration' },
    refused: () => registering({ drain_seconds: 3_601 }),
    sides: { 'compared drain_seconds': /^3601$/, 'compared max_drain_seconds': /^3600$/ },
  },
  {
    ...{ reason: 'drain_too_long', by: 'policy max_drain_seconds, at a rollback' },
    refused: async () => {
      const { client: owner, agent_id, registration_id, checksum, key } = await soloOf({})
      await givenAgent(ctx, owner, agent_id, { prompt: 'Another.', key })
      const path = `/admin/v1/agents/${owner.client_id}/${agent_id}/rollback`
      const body = { registration_id, checksum: `sha256:${checksum}`, drain_seconds: 4_000 }
      return (await asAdmin('POST', path, body)).request_id
    },
    sides: { 'compared drain_seconds': /^4000$/, 'compared max_drain_seconds': /^3600$/ },
  },
  {
    ...{ reason: 'step_without_agent', by: 'policy workflow_state' },
    refused: () => defining({ agent_id: undefined }),
    sides: { 'compared step_number': /^2$/, 'client policies': /workflow_state recorded/ },
  },
  {
    ...{ reason: 'limits_above_client', by: 'policy limits' },
    refused: () =>
      called('/intent/executions', 'generate:intent-token', { workflow_id: 'flow', limits: { max_nodes: 4 } }),
    sides: {
      'compared limits_asked': /max_nodes=4$/,
      'compared limits_of_client': /max_nodes=3$/,
      'client policies': /limits max_tokens=3,max_children=1,max_nodes=3/,
    },
  },
  {
    ...{ reason: 'max_tokens', by: 'policy limits' },
    refused: async () => {
      const { execution_id } = await minted(world, planner, { step: 'plan' })
      for (const step of ['plan', 'plan']) await minted(world, planner, { step, execution_id })
      return await step(planner, { step: 'plan', execution_id })
    },
    sides: {
      'compared tokens_of_entry': /^3$/,
      'compared max_tokens': /^3$/,
      'execution limits': /; 3 tokens minted$/,
    },
  },
  {
    ...{ reason: 'max_tokens', by: 'policy limits, in the execution that a user token opened before' },
    refused: async () => {
      const more = await ofPerson()
      const asked = { step: 'plan', scope: 'deploy', more }
      for (const again of [asked, asked, asked]) await minted(world, planner, again, '/oauth/token')
      return await step(planner, asked, '/oauth/token')
    },
    sides: { execution: /^exe_/, 'compared tokens_of_entry': /^3$/, 'compared max_tokens': /^3$/ },
  },
  {
    ...{ reason: 'max_nodes', by: 'policy limits' },
    refused: async () => {
      const { execution_id } = await minted(world, planner, { step: 'plan' })
      for (const step of ['apply', 'apply']) await minted(world, worker, { step, execution_id })
      return await step(planner, { step: 'report', execution_id })
    },
    sides: { 'compared tokens_of_execution': /^3$/, 'compared max_nodes': /^3$/, 'execution steps entered': /^apply$/ },
  },
  {
    ...{ reason: 'max_children', by: 'policy limits' },
    refused: async () => {
      const parent = { ...(await minted(world, planner, { step: 'plan' })), agent: planner, key: planner.key }
      const lent = async () => ({ step: 'plan', more: { delegation_assertion: await delegate(world, parent, worker) } })
      await send(world, stepAttempt(world, '/intent/token', worker, await lent()))
      return await step(worker, await lent())
    },
    sides: { 'compared delegations_of_parent': /^1$/, 'compared max_children': /^1$/ },
  },
  {
    ...{ reason: 'endorsed_keys_full', by: 'policy max_endorsed_keys' },
    refused: async () => {
      const agent = await soloOf({ agent_keys: 'endorsed', max_endorsed_keys: 1 })
      const endorsed = async () => {
        const holder = testKey('ES256')
        return mintWith(world, agent, holder, await statementFor(world, agent, holder, byAgent(agent)))
      }
      await send(world, await endorsed())
      return await sent(await endorsed())
    },
    sides: {
      'compared endorsed_keys': /^1$/,
      'compared max_endorsed_keys': /^1$/,
      'client policies': /max_endorsed_keys 1,/,
    },
  },
  {
    ...{ reason: 'statement_signer', by: 'policy agent_keys' },
    refused: async () => {
      const [agent, holder] = [await soloOf({}), testKey('ES256')]
      return await sent(mintWith(world, agent, holder, await statementFor(world, agent, holder, byClient(agent))))
    },
    sides: {
      'compared statement_by': /^another than the agent$/,
      'compared keys_of_it_that_vouch': /^0$/,
      'client policies': /agent_keys registered/,
    },
  },
  {
    ...{ reason: 'proof_required', by: 'policy agent_proof' },
    refused: async () => await sent({ ...mint(await soloOf({})), proof: undefined }),
    sides: { 'asked with key (jkt)': /^no proof was sent$/, 'client policies': /agent_proof required/ },
  },
  {
    ...{ reason: 'proof_required', by: 'policy allow_bearer and the resource' },
    refused: async () => await sent({ ...clientCredentials(world), proof: undefined }),
    sides: {
      'asked with key (jkt)': /^no proof was sent$/,
      'client policies': /allow_bearer false/,
      'resource allow_bearer': /^false$/,
    },
  },
  {
    ...{ reason: 'dpop_nonce_missing', by: 'policy dpop_nonce' },
    refused: async () => await sent(mint(await soloOf({ dpop_nonce: 'required' }))),
    sides: { 'compared nonce_sent': /^none$/, 'client policies': /dpop_nonce required/ },
  },
  {
    ...{ reason: 'recorded_only', by: 'policy workflow_state' },
    refused: async () => {
      const by = await givenClient(ctx, undefined, { policies: { workflow_state: 'asserted' } })
      return await called('/intent/executions', 'generate:intent-token', { workflow_id: 'flow' }, by)
    },
    sides: { 'client policies': /workflow_state asserted/ },
  },
]

scene.bothSides(rows)
