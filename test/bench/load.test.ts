import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { test } from 'node:test'
import { rawRequest } from '../../bench/load/batch.ts'
import { closedLoop, openConnections } from '../../bench/load/closed-loop.ts'
import { arrivals, openLoop } from '../../bench/load/open-loop.ts'

const MARK = '"access_token":"ey'
const GOOD = '{"access_token":"eyJ"}'

/** Sends twelve requests over three connections to a server that answers so. */
async function load(answer: RequestListener, send: typeof closedLoop = closedLoop) {
  const server = createServer((request, response) => request.resume().on('end', () => answer(request, response)))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const origin = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  const connections = await openConnections(origin, 3)
  const request = rawRequest('POST', `${origin}/token`, { 'Content-Type': 'text/plain' }, 'grant_type=ü')
  try {
    return await send(connections, { requests: Array.from({ length: 12 }, () => request), mark: MARK })
  } finally {
    for (const { close } of connections) close()
    server.closeAllConnections()
    server.close()
  }
}

function answering(body: string, status = 200): RequestListener {
  return (_request, response) => response.writeHead(status, { 'content-length': Buffer.byteLength(body) }).end(body)
}

test('a round counts answers of 200 that have what was asked for, each with its time', async () => {
  const { elapsed, latencies } = await load(answering(GOOD))
  assert.equal(latencies.length, 12)
  assert.ok(latencies.every(latency => latency > 0 && latency <= elapsed))
})

test('a round with any other answer is no round', async () => {
  let asked = 0
  const lastRefused: RequestListener = (request, response) => {
    asked += 1
    answering(asked === 12 ? '{"error":"invalid_client"}' : GOOD, asked === 12 ? 401 : 200)(request, response)
  }
  await assert.rejects(load(lastRefused), /The server answered 401 .*invalid_client/)
  await assert.rejects(load(answering('{"active":false}')), /An answer of 200 has no/)
  await assert.rejects(load(answering(GOOD, 503)), /The server answered 503/)
  await assert.rejects(
    load((_request, response) => void response.destroy()),
    /closed|ECONNRESET/,
  )
  const chunked: RequestListener = (_request, response) => {
    response.write(GOOD)
    response.end()
  }
  await assert.rejects(load(chunked), /no Content-Length/)
})

test('a server may end a connection after an answer, if it says so (RFC 9112 section 9.6)', async () => {
  const ports = new Set<number | undefined>()
  const { latencies } = await load((request, response) => {
    ports.add(request.socket.remotePort)
    response.setHeader('connection', 'close')
    answering(GOOD)(request, response)
  })
  assert.equal(latencies.length, 12)
  assert.equal(ports.size, 12)
})

test('at a fixed rate a request that had to wait for a connection has waited since its planned time', async () => {
  const held: (() => void)[] = []
  const answerAll = () => {
    for (const answer of held.splice(0)) answer()
  }
  // Three are answered when the fourth is overdue: the one connection after the other is free only then.
  const { latencies } = await load(
    (request, response) => {
      held.push(() => answering(GOOD)(request, response))
      if (held.length >= 3) setTimeout(answerAll, 40)
    },
    async (connections, batch) =>
      await openLoop(
        connections,
        batch,
        batch.requests.map(() => 0),
      ),
  )
  assert.equal(latencies.length, 12)
  // Four times three, 40 ms each, and every one of them was due at once.
  assert.ok(Math.max(...latencies) >= 150, `${Math.max(...latencies)} ms`)
})

test('at a fixed rate nothing is sent before its time, and the time before that is nobody’s latency', async () => {
  const { elapsed, latencies } = await load(answering(GOOD), async (connections, batch) => {
    const plan = batch.requests.map((_, index) => index * 10)
    return await openLoop(connections, batch, plan)
  })
  assert.ok(elapsed >= 110, `${elapsed} ms`)
  assert.ok((latencies[11] ?? elapsed) <= elapsed - 110, `${latencies[11]} of ${elapsed} ms`)
})

test('an open loop refuses wrong answers, too', async () => {
  const atOnce: typeof closedLoop = async (connections, batch) =>
    await openLoop(
      connections,
      batch,
      batch.requests.map(() => 0),
    )
  await assert.rejects(load(answering('{}'), atOnce), /An answer of 200 has no/)
})

test('arrivals come at the rate asked for, and are the same for the same seed', () => {
  const plan = arrivals(20_000, 1_000, 7)
  assert.deepEqual(plan, arrivals(20_000, 1_000, 7))
  assert.ok(plan.every((at, index) => at >= (plan[index - 1] ?? 0)))
  assert.ok(Math.abs((plan.at(-1) ?? 0) - 20_000) < 600, `${plan.at(-1)} ms`)
})
