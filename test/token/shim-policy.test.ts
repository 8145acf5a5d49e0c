import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { endShimRelease, insertShimRelease } from '../../src/server/store/shim-releases.ts'
import { agentGrant, send } from '../attacks/attempt.ts'
import { type GivenAgent, givenAgent, givenClient, givenWorld } from '../attacks/given.ts'
import { refused } from '../attacks/refused.ts'

const world = await givenWorld()
const { ctx } = world
const PATHS = ['/oauth/token', '/intent/token'] as const
const hex = (digit: string) => digit.repeat(64)

async function release(version: string, checksum: string, minimum: boolean): Promise<void> {
  const row = { version, checksum, minimum, status: 'released' as const, released_at: ctx.now(), released_by: 'test' }
  assert.ok(await insertShimRelease(ctx, { ...row, withdrawn_at: null }))
}

async function agentWith(shim: 'record' | 'min_release'): Promise<GivenAgent> {
  return await givenAgent(ctx, await givenClient(ctx, `shim-${shim}`, { policies: { shim } }), 'planner')
}

function mint(agent: GivenAgent, header: string | undefined, path: (typeof PATHS)[number] = '/oauth/token') {
  return { ...agentGrant(world, path, agent), headers: { 'X-Shim-Checksum': header } }
}

async function findingOf(access_token: unknown): Promise<unknown> {
  const { jti } = decodeJwt(String(access_token))
  const row = await ctx.db
    .selectFrom('audit_event')
    .select('details')
    .where('jti', '=', String(jti))
    .executeTakeFirstOrThrow()
  return row.details.shim
}

await release('1.9.0', hex('a'), false)
await release('1.10.0', hex('b'), false)
await release('2.0.0', hex('c'), false)

const record = await agentWith('record')
const strict = await agentWith('min_release')

test('policy shim "record": what the shim said stands in the audit trail of the token (section 6)', async () => {
  const rows: readonly [header: string | undefined, finding: object][] = [
    [`sha256 ${hex('b')}`, { version: '1.10.0', checksum: hex('b') }],
    [`sha256 ${hex('f')}`, { version: 'unknown', checksum: hex('f') }],
    [undefined, { version: 'none' }],
    [`sha256 ${hex('B')}`, { version: 'malformed' }],
    [`sha256:${hex('b')}`, { version: 'malformed' }],
    [hex('b'), { version: 'malformed' }],
  ]
  for (const [header, finding] of rows) {
    const { status, body } = await send(world, mint(record, header))
    assert.deepEqual([status, await findingOf(body.access_token)], [200, finding])
  }
})

test('policy shim "off" reads no header, and nothing is recorded (section 6)', async () => {
  const { body } = await send(world, mint(world.solo, `sha256 ${hex('b')}`))
  assert.equal(await findingOf(body.access_token), undefined)
})

test('policy shim "min_release": a released shim is due, in the exact form of the header (section 6)', async () => {
  const good = () => mint(strict, `sha256 ${hex('a')}`)
  const rows: readonly [header: string | undefined, reason: string][] = [
    [undefined, 'shim_none'],
    [`sha256 ${hex('f')}`, 'shim_unknown'],
    [`sha256  ${hex('a')}`, 'shim_malformed'],
    [`SHA256 ${hex('a')}`, 'shim_malformed'],
    [`sha256 ${hex('a')}, sha256 ${hex('a')}`, 'shim_malformed'],
    [`sha256:${hex('a')}`, 'shim_malformed'],
    [hex('a'), 'shim_malformed'],
  ]
  for (const path of PATHS) {
    const words =
      path === '/intent/token' ? { error: 'invalid_shim' } : { error: 'invalid_grant', ajwt_error: 'invalid_shim' }
    for (const [header, reason] of rows) {
      await refused(world, mint(strict, header, path), { status: 400, ...words, reason, audited: true }, good())
    }
  }
})

test('policy shim "min_release": from the highest minimum on, until a release is withdrawn (section 6)', async () => {
  const status = async (digit: string) => (await send(world, mint(strict, `sha256 ${hex(digit)}`))).status
  const statuses = async () => [await status('a'), await status('b'), await status('c'), await status('d')]
  assert.deepEqual(await statuses(), [200, 200, 200, 400])
  await release('1.10.1', hex('d'), true)
  assert.deepEqual(await statuses(), [400, 400, 200, 200])
  await endShimRelease(ctx, '2.0.0', ctx.now())
  assert.deepEqual(await statuses(), [400, 400, 400, 200])
  // A minimum that is withdrawn asks for nothing any more.
  await endShimRelease(ctx, '1.10.1', ctx.now())
  assert.deepEqual(await statuses(), [200, 200, 400, 400])
})

test('possession is judged before the shim (section 6, row 6)', async () => {
  const attempt = { ...mint(strict, undefined), proof: undefined }
  const expected = { status: 400, error: 'invalid_dpop_proof', ajwt_error: 'agent_key_mismatch', audited: true }
  await refused(world, attempt, { ...expected, reason: 'proof_required' }, mint(strict, `sha256 ${hex('a')}`))
})
