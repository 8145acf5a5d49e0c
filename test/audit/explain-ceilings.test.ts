import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TOKEN_EXCHANGE_GRANT } from '../../src/protocol/grant-types.ts'
import { READ_API, WRITE_API } from '../attacks/given.ts'
import { callAs } from '../attacks/recorded.ts'
import { givenAdmin } from '../support/given.ts'
import { exchange, foreignToken, givenTrustedIssuer } from '../token/foreign.ts'
import { givenCeilings, type Row } from './ceiling-scene.ts'
import { caller, explained, factsOf } from './given.ts'

const scene = await givenCeilings()
const { world, app, ctx, admin, asAdmin, client, client_id, planner, person } = scene
const { sent, soloOf, mint, step, ofPerson, registering, defining } = scene
const ADMIN = `${app.issuer}/admin`
const desk = await givenAdmin(app, { grant_types: [TOKEN_EXCHANGE_GRANT] })
await givenTrustedIssuer(app, person, {
  ...{ name: 'staff', purpose: 'operator', audience: 'desk', clients: [desk.client_id], claims: { tid: 'acme' } },
  access: [{ resource: ADMIN, scope: 'audit:read' }],
})

const rows: readonly Row[] = [
  {
    ...{ reason: 'invalid_scope', by: 'the access of the step' },
    refused: () => step(planner, { workflow_id: 'narrow', step: 'plan', scope: 'read deploy' }),
    sides: {
      'asked scope': /^read deploy$/,
      'workflow step plan access': /^https:\/\/read\.example\.com deploy$/,
      'compared step_scope': /^deploy$/,
    },
  },
  {
    ...{ reason: 'invalid_target', by: 'the access of the step' },
    refused: () => step(planner, { workflow_id: 'narrow', step: 'plan', resource: WRITE_API }),
    sides: { 'asked resource': /write/, 'workflow step plan access': /read/, 'compared step_scope': /^none$/ },
  },
  {
    ...{ reason: 'invalid_scope', by: 'what the issuer of its user allows, at the mint that would open the execution' },
    refused: async () => await step(planner, { step: 'plan', more: await ofPerson() }, '/oauth/token'),
    sides: { 'asked scope': /^read$/, 'client access': /read deploy pay/, 'compared initiator_scope': /^deploy$/ },
  },
  {
    ...{ reason: 'invalid_scope', by: 'what the issuer of its user allows, in an execution that stands' },
    refused: async () => {
      const subject = await ofPerson()
      const body = { workflow_id: 'flow', subject_token: subject.subject_token }
      const request = { path: '/intent/executions', method: 'POST', body }
      const opened = await callAs(world, client, 'generate:intent-token', request)
      const { execution_id } = opened.body
      return await step(planner, { step: 'plan', execution_id: String(execution_id) })
    },
    sides: {
      'asked scope': /^read$/,
      'compared initiator_scope': /^deploy$/,
      'execution access (from the issuer of its user)': /^https:\/\/read\.example\.com deploy write$/,
    },
  },
  {
    ...{ reason: 'invalid_scope', by: 'the access of a person at our own API' },
    refused: async () => {
      const subject_token = await foreignToken(app, person, { aud: 'desk', tid: 'acme' })
      await exchange(app, desk, { subject_token, scope: 'revoke', resource: ADMIN })
      const { body } = await asAdmin('GET', `/admin/v1/audit?client_id=${desk.client_id}&outcome=refused`)
      return String(Object.values(body.items ?? {})[0]?.id)
    },
    sides: { 'asked scope': /^revoke$/, 'compared issuer_access': /\/admin audit:read$/ },
  },
  {
    ...{ reason: 'grant_above_client', by: 'the access of the client' },
    refused: () =>
      registering({
        grant: {
          access: [
            { resource: READ_API, scope: 'read write' },
            { resource: WRITE_API, scope: 'read' },
          ],
        },
      }),
    sides: {
      'compared asked_within': /^https:\/\/read\.example\.com read$/,
      'compared asked_outside': /^2$/,
      'client access': /read deploy pay/,
    },
  },
  {
    ...{ reason: 'access_above_client', by: 'the access of the client' },
    refused: () => defining({ access: [{ resource: WRITE_API, scope: 'write' }] }),
    sides: {
      'compared step_number': /^2$/,
      'compared asked_within': /^none$/,
      'compared asked_outside': /^1$/,
      'client access': /read deploy pay/,
    },
  },
  {
    ...{ reason: 'unauthorized_client', by: 'the grants of the client' },
    refused: async () => await sent(mint(await soloOf({}, { grant_types: ['client_credentials'] }))),
    sides: { 'compared grant_types_needed': /agent/, 'client grant_types': /^client_credentials$/ },
  },
  {
    ...{ reason: 'no_intent_token_scope', by: 'the access of the client' },
    refused: async () => {
      const own = [
        { resource: READ_API, scope: 'read deploy pay' },
        { resource: WRITE_API, scope: 'write' },
      ]
      const all = [...own, { resource: 'https://draft.example.com', scope: 'read' }]
      return await sent(mint(await soloOf({}, { access: all })))
    },
    sides: { 'compared scope_needed': / generate:intent-token$/, 'client access': /^https:\/\/read/ },
  },
  {
    ...{ reason: 'admin_scope_not_held', by: 'the scopes of the own token' },
    refused: async () => {
      const weak = caller(app, admin, 'admin', 'admin:clients')
      const body = { access: [{ resource: ADMIN, scope: 'approve:agents revoke' }] }
      return (await weak('PATCH', `/admin/v1/clients/${client_id}`, body)).request_id
    },
    sides: { 'compared scopes_given': /^approve:agents revoke$/, 'compared scopes_of_token': /^admin:clients$/ },
  },
]

scene.bothSides(rows)

test('[attack 111] of what was compared, no row keeps a name that nobody registered', async () => {
  const canary = [{ resource: 'https://canary.example/CANARY', scope: 'CANARY-scope' }]
  const grant = { access: [...canary, { resource: READ_API, scope: 'read CANARY-scope' }] }
  const step = { access: canary, step_id: 'CANARY-step' }
  const names = ['compared asked_within', 'compared asked_outside']
  const granted = factsOf(await explained(asAdmin, await registering({ grant })), names)
  assert.deepEqual(Object.values(granted), [`${READ_API} read`, '2'])
  const defined = factsOf(await explained(asAdmin, await defining(step)), names)
  assert.deepEqual(Object.values(defined), ['none', '1'])
  const rows = await ctx.db.selectFrom('audit_event').selectAll().execute()
  assert.equal(JSON.stringify(rows).includes('CANARY'), false)
})
