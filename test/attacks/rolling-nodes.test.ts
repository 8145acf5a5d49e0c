import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type AccessTokenClaims, accessTokenClaimsSchema } from '../../src/protocol/claims.ts'
import { testKey } from '../protocol/forge.ts'
import type { Answer } from './attempt.ts'
import { API } from './inserted.ts'
import { type NodeName, startTwoNodes } from './two-nodes.ts'

/* Two `remit serve` processes and the real clock: old and new processes of an agent mint all the time at both. */

/** Seconds of each drain: long enough that a slow machine mints inside it. */
const DRAIN = 15
/** Answers of each kind, at each node, on each side of what is judged. */
const SOME = 3
/** Milliseconds after the end of a drain until which a node may show what it does then. */
const PATIENCE = 60_000
const NODES = ['one', 'two'] as const
const AGENT = { client_id: 'app', agent_id: 'rolling', key: testKey('ES256') }
const MISMATCH = { status: 400, error: 'invalid_grant', ajwt_error: 'agent_checksum_mismatch' }

const nodes = await startTwoNodes(0)
after(nodes.close)
const { db } = nodes

type Version = { readonly registration_id: string; readonly checksum: string; readonly version: number }
/** A mint of one process at one node. */
type Mint = { readonly node: NodeName; readonly answer: Answer; readonly claims: AccessTokenClaims | undefined }
type Minters = { readonly mints: readonly Mint[]; readonly stop: () => Promise<void> }

async function register(node: NodeName, prompt_template: string, drain_seconds: number): Promise<Version> {
  const { agent_id, key } = AGENT
  const first = { public_key: key.jwk, grant: { access: [{ resource: API, scope: 'read' }] } }
  const agent_components = { agent_id, prompt_template, tools: [] }
  const sent = { app_id: 'app', agent_components, drain_seconds, ...(drain_seconds === 0 && first) }
  return versionOf(await nodes.register(node, 'agent', sent))
}

/** To the content of a version that counted: one call. */
async function rollBack({ registration_id, checksum }: Version): Promise<Version> {
  const body = { registration_id, checksum, drain_seconds: DRAIN }
  return versionOf(await nodes.administer(`/admin/v1/agents/app/${AGENT.agent_id}/rollback`, body))
}

function versionOf({ status, body, text }: Answer): Version {
  assert.deepEqual([status, body.status], [200, 'active'], text)
  return {
    registration_id: String(body.registration_id),
    checksum: String(body.checksum),
    version: Number(body.version),
  }
}

/** One process of this version at each node, which mint one token after the other. */
function startMinters({ checksum }: Version): Minters {
  const mints: Mint[] = []
  let more = true
  const running = NODES.map(async node => {
    while (more) {
      const answer = await nodes.prepareMint(AGENT, { computed_checksum: checksum })(node).catch(onlyReset)
      // A machine that is too busy answers 503: of neither version, and asked for again.
      if (answer && answer.status !== 503)
        mints.push({ node, answer, claims: answer.status === 200 ? claimsOf(answer) : undefined })
    }
  })
  return {
    mints,
    async stop() {
      more = false
      await Promise.all(running)
    },
  }
}

/** A connection that was kept and ends as it is used again is no answer of either version. */
function onlyReset(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') return
  throw error
}

function claimsOf({ body }: Answer): AccessTokenClaims {
  const [, payload = ''] = String(body.access_token).split('.')
  return accessTokenClaimsSchema.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')))
}

/** Whether each node has some such mints. */
function some(mints: readonly Mint[], is: (mint: Mint) => boolean): boolean {
  return NODES.every(node => mints.filter(mint => mint.node === node && is(mint)).length >= SOME)
}

async function until(done: () => boolean, last: number, what: string): Promise<void> {
  while (!done()) {
    assert.ok(Date.now() < last, what)
    await wait(20)
  }
}

async function drainsUntil({ registration_id }: Version): Promise<Date> {
  const found = db.selectFrom('registration').select('drains_until').where('registration_id', '=', registration_id)
  return (await found.executeTakeFirstOrThrow()).drains_until ?? assert.fail('it does not drain')
}

/**
 * Replaces a version while its processes mint at both nodes, has those of the next one mint beside them, and goes on
 * until both nodes have shown what they do after the end of the drain.
 */
async function change(from: Version, replace: () => Promise<Version>) {
  const old = startMinters(from)
  let next: Minters | undefined
  try {
    await until(() => some(old.mints, ({ claims }) => claims !== undefined), Date.now() + PATIENCE, 'nothing is minted')
    const to = await replace()
    next = startMinters(to)
    const before = old.mints.length
    const end = await drainsUntil(from)
    const { mints } = next
    const isAfter = ({ claims }: Mint) => claims !== undefined && claims.iat * 1000 >= end.getTime()
    const isRefused = ({ claims }: Mint) => claims === undefined
    const shown = () => some(old.mints, isRefused) && some(mints, isAfter)
    await until(shown, end.getTime() + PATIENCE, 'the drain has no end')
    await Promise.all([old.stop(), next.stop()])
    return { to, end, old: old.mints, draining: old.mints.slice(before), next: next.mints }
  } finally {
    await Promise.all([old.stop(), next?.stop()])
  }
}

type Changed = Awaited<ReturnType<typeof change>>

/** By the times that the servers themselves wrote down, in milliseconds: no time of this process is compared. */
async function assertJudgedByItsEnd({ end, old, draining, next }: Changed): Promise<void> {
  assert.deepEqual(
    next.filter(mint => mint.claims === undefined).map(({ answer }) => answer.text),
    [],
    'the next version is refused nowhere',
  )
  const minted = old.flatMap(({ claims }) => claims?.jti ?? [])
  const tokens = await db.selectFrom('token').select('issued_at').where('jti', 'in', minted).execute()
  assert.equal(tokens.length, minted.length)
  assert.deepEqual(
    tokens.filter(({ issued_at }) => issued_at >= end),
    [],
    'nothing is minted for what has drained',
  )
  const refused = old.filter(mint => mint.claims === undefined).map(({ answer }) => answer)
  for (const { status, body } of refused) {
    assert.deepEqual({ status, error: body.error, ajwt_error: body.ajwt_error }, MISMATCH)
  }
  const ids = refused.map(({ headers }) => String(headers['x-request-id']))
  const rows = await db.selectFrom('audit_event').select(['at', 'reason']).where('request_id', 'in', ids).execute()
  assert.deepEqual(
    rows.map(({ reason }) => reason),
    ids.map(() => 'agent_checksum_mismatch'),
  )
  assert.deepEqual(
    rows.filter(({ at }) => at < end),
    [],
    'what drains is refused nowhere',
  )
  // Else nothing of this was seen: both drained beside each other, at both nodes.
  const isBefore = ({ claims }: Mint) => claims !== undefined && claims.iat * 1000 < end.getTime()
  assert.ok(some(draining, isBefore), 'old processes minted inside the drain')
  assert.ok(some(next, isBefore), 'and new ones beside them')
}

test('[attack 82] two nodes let a version drain to the very end, refuse it from there on, and go back by one call (section 4)', async () => {
  const first = await register('one', 'One.', 0)
  const rolled = await change(first, () => register('two', 'Two.', DRAIN))
  assert.equal(rolled.to.version, 2)
  await assertJudgedByItsEnd(rolled)
  const back = await change(rolled.to, () => rollBack(first))
  assert.deepEqual([back.to.version, back.to.checksum], [3, first.checksum])
  await assertJudgedByItsEnd(back)
})
