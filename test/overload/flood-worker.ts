import { createPrivateKey, createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { FloodOrder, FloodReport } from './flood.ts'
import { connectionsFrom, openConnections, post, type Signed, signedMint } from './mint.ts'

const TICK = 10

const order: FloodOrder = workerData
/** Of each address: all of them in work at once would be more than a second. */
const CONNECTIONS = order.closed ? 32 : 200
const privateKey = createPrivateKey(order.privateKey)
const key = { alg: 'ES256', privateKey, jwk: { ...createPublicKey(privateKey).export({ format: 'jwk' }) } }
const agents = order.addresses.map(address => connectionsFrom(address, CONNECTIONS))
const count = Math.ceil(order.rate * order.seconds)
const url = `${order.issuer}/oauth/token`

const took: { tokenMs: number[]; refusalMs: number[]; troubleMs: number[] } = {
  tokenMs: [],
  refusalMs: [],
  troubleMs: [],
}
const others = new Set<string>()

function clientOf(n: number): string {
  return order.clients[n % order.clients.length] ?? ''
}

async function send(signed: Signed, n: number): Promise<void> {
  const agent = agents[n % agents.length]
  if (!agent) throw new Error('A flood comes from somewhere.')
  try {
    const { status, retryAfter, text, milliseconds } = await post(url, signed, agent)
    const isRefused = (status === 429 || status === 503) && Number(retryAfter) > 0
    if (status === 200) took.tokenMs.push(milliseconds)
    else if (isRefused && text.includes('cannot answer')) took.troubleMs.push(milliseconds)
    else if (isRefused) took.refusalMs.push(milliseconds)
    else others.add(`${status} ${text}`)
  } catch (error) {
    others.add(String(error))
  }
}

/** As fast as answers come, on so many connections. */
async function closedLoop(width: number): Promise<number> {
  const end = performance.now() + order.seconds * 1000
  let sent = 0
  async function one(): Promise<void> {
    while (performance.now() < end) {
      sent += 1
      await send(signedMint(order.issuer, clientOf(sent), key), sent)
    }
  }
  await Promise.all(Array.from({ length: width }, one))
  return sent
}

/** At the rate, whatever the server says. */
async function openLoop(requests: readonly Signed[]): Promise<number> {
  const start = performance.now()
  const pending: Promise<void>[] = []
  while (pending.length < requests.length) {
    const due = Math.min(requests.length, Math.ceil(((performance.now() - start) / 1000) * order.rate))
    for (const signed of requests.slice(pending.length, due)) pending.push(send(signed, pending.length))
    if (performance.now() - start > order.seconds * 1000) break
    await setTimeout(TICK)
  }
  await Promise.all(pending)
  return pending.length
}

const requests = order.closed ? [] : Array.from({ length: count }, (_, n) => signedMint(order.issuer, clientOf(n), key))
parentPort?.postMessage('ready')
if (parentPort) await once(parentPort, 'message')
await Promise.all(agents.map(agent => openConnections(order.issuer, agent, CONNECTIONS)))
const sent = order.closed ? await closedLoop(order.closed) : await openLoop(requests)
const report: FloodReport = { ...took, sent, others: [...others].slice(0, 10) }
for (const agent of agents) agent.destroy()
parentPort?.postMessage(report)
