import { connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { type Estate, startEstate } from './estate.ts'
import { prepareFlood } from './flood.ts'
import { connectionsFrom, openConnections, percentile, post, signedMint } from './mint.ts'

export type OverloadFigures = {
  /** Tokens a second without an overload, in this run. */
  readonly capacity: number
  readonly good: { readonly sent: number; readonly failed: number; readonly p50: number; readonly p99: number }
  readonly flood: {
    readonly rate: number
    readonly sent: number
    readonly tokens: number
    readonly refused: number
    readonly trouble: number
    readonly others: readonly string[]
    readonly refusalP50: number
    readonly refusalP99: number
  }
  readonly slow: {
    readonly sent: number
    readonly statuses: Readonly<Record<string, number>>
    readonly longest: number
  }
  /** What probes were answered meanwhile, in milliseconds. */
  readonly health: { readonly failed: number; readonly p99: number }
}

const ROUND_SECONDS = 0.8
/** Of what the server can. */
const FLOOD_TIMES = 3
/** Requests a second of the client that is good; at most a twentieth of what the server can. */
const GOOD_RATE = 20
const LORIS = 200
const SLOW = 64

/**
 * R12 of reliability.md: a good client at a steady rate, beside a flood of three times what the server can, sockets that
 * send a byte a second, and requests that hang in the database. Milliseconds.
 */
export async function overloadRun(seconds: number): Promise<OverloadFigures> {
  const estate = await startEstate()
  try {
    const capacity = await measureCapacity(estate)
    const rate = Math.ceil(capacity * FLOOD_TIMES)
    const flood = prepareFlood({
      ...orderOf(estate),
      addresses: ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'],
      ...{ rate, seconds },
    })
    await flood.ready
    const stop = new AbortController()
    const sockets = openLoris(estate.issuer, LORIS)
    const hold = await holdKeys(estate)
    const slowRun = runSlow(estate, SLOW, stop.signal)
    const health = runHealth(estate, stop.signal)
    const good = runGood(estate, Math.min(GOOD_RATE, capacity / 20), stop.signal)
    // So that all of it is there when the flood comes.
    await setTimeout(200)
    const report = await flood.go()
    stop.abort()
    const figures = {
      capacity,
      good: await good,
      flood: {
        ...{ rate, sent: report.sent, tokens: report.tokenMs.length },
        ...{ refused: report.refusalMs.length, trouble: report.troubleMs.length, others: report.others },
        refusalP50: percentile(report.refusalMs, 0.5),
        refusalP99: percentile(report.refusalMs, 0.99),
      },
      slow: await slowRun,
      health: await health,
    }
    for (const socket of sockets) socket.destroy()
    await hold.end()
    return figures
  } finally {
    await estate.stop()
  }
}

function orderOf({ issuer, key, clients }: Estate) {
  const privateKey = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { issuer, privateKey, clients: clients.floods }
}

/** Tokens a second on 32 connections: the best of two rounds, the first of which warms up. */
async function measureCapacity(estate: Estate): Promise<number> {
  const order = { ...orderOf(estate), addresses: ['127.0.0.1'], rate: 0, closed: 32, seconds: ROUND_SECONDS }
  const rounds: number[] = []
  for (let round = 0; round < 2; round += 1) rounds.push((await prepareFlood(order).go()).tokenMs.length)
  return Math.max(...rounds) / ROUND_SECONDS
}

async function runGood({ issuer, key, clients }: Estate, rate: number, stop: AbortSignal) {
  const agent = connectionsFrom('127.0.0.1')
  await openConnections(issuer, agent, 8)
  const took: number[] = []
  let failed = 0
  const pending: Promise<void>[] = []
  async function one(): Promise<void> {
    const signed = signedMint(issuer, clients.good, key)
    const start = performance.now()
    const { status } = await post(`${issuer}/oauth/token`, signed, agent)
    took.push(performance.now() - start)
    if (status !== 200) failed += 1
  }
  while (!stop.aborted) {
    pending.push(
      one().catch(() => {
        failed += 1
      }),
    )
    await setTimeout(1000 / rate)
  }
  await Promise.all(pending)
  agent.destroy()
  return { sent: pending.length, failed, p50: percentile(took, 0.5), p99: percentile(took, 0.99) }
}

/** Half of them send a header, half a body, a byte a second. */
function openLoris(issuer: string, count: number): readonly Socket[] {
  const { host, hostname, port } = new URL(issuer)
  const start = `POST /oauth/token HTTP/1.1\r\nHost: ${host}\r\n`
  const body = `${start}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n`
  return Array.from({ length: count }, (_, n) => {
    const socket = connect({ host: hostname, port: Number(port), localAddress: '127.0.0.6' })
    const timer = setInterval(() => socket.write('x'), 1000)
    socket.on('error', () => {})
    socket.on('close', () => clearInterval(timer))
    socket.write(n % 2 === 0 ? `${start}X-Slow: ` : body)
    return socket
  })
}

/** Whoever claims an Idempotency-Key now waits in the database until its lock time-out. */
async function holdKeys({ connection }: Estate): Promise<pg.Client> {
  const client = new pg.Client({ ...connection })
  client.on('error', () => {})
  await client.connect()
  await client.query('begin')
  await client.query('lock table idempotency in access exclusive mode')
  return client
}

/** Registrations that hang, so many at once, again and again. */
async function runSlow({ issuer, key, clients }: Estate, count: number, stop: AbortSignal) {
  const agent = connectionsFrom('127.0.0.7')
  const client_id = clients.floods[0] ?? ''
  const asked = signedMint(issuer, client_id, key, { resource: issuer, scope: 'register:intent' })
  const { dpop: _, ...headers } = asked.headers
  const minted = await post(`${issuer}/oauth/token`, { ...asked, headers }, agent)
  const { access_token }: { access_token?: string } = JSON.parse(minted.text)
  const statuses: Record<string, number> = {}
  let longest = 0
  let sent = 0
  async function one(n: number): Promise<void> {
    while (!stop.aborted) {
      sent += 1
      const components = { agent_id: `slow-${n}`, prompt_template: 'Slow.', tools: [] }
      const start = performance.now()
      const { status, retryAfter } = await post(
        `${issuer}/intent/register/agent`,
        {
          headers: {
            'content-type': 'application/json',
            authorization: `Bearer ${access_token}`,
            'idempotency-key': `slow-${n}-${sent}`,
          },
          body: JSON.stringify({ app_id: client_id, agent_components: components }),
        },
        agent,
      )
      longest = Math.max(longest, performance.now() - start)
      statuses[status] = (statuses[status] ?? 0) + 1
      await setTimeout(1000 * Number(retryAfter ?? 0), undefined, { signal: stop }).catch(() => {})
    }
  }
  await Promise.all(Array.from({ length: count }, (_, n) => one(n)))
  agent.destroy()
  return { sent, statuses, longest }
}

async function runHealth({ issuer }: Estate, stop: AbortSignal) {
  const took: number[] = []
  let failed = 0
  while (!stop.aborted) {
    for (const path of ['/healthz', '/readyz', '/.well-known/jwks.json']) {
      const start = performance.now()
      const ok = await fetch(`${issuer}${path}`).then(
        async response => {
          await response.text()
          return response.status === 200
        },
        () => false,
      )
      took.push(performance.now() - start)
      if (!ok) failed += 1
    }
    await setTimeout(100)
  }
  return { failed, p99: percentile(took, 0.99) }
}
