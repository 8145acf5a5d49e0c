import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** `CommandComplete` with the tag COMMIT, as Postgres sends it (PostgreSQL, Message Formats). */
const COMMITTED = Buffer.from('C\0\0\0\x0bCOMMIT\0', 'latin1')
/** What a connection said since its last COMMIT is kept to this many bytes. */
const MEMORY = 262_144

type Pair = {
  readonly client: Socket
  server?: Socket
  /** Since its last COMMIT. */
  said: string
  /** End of the bytes that came down, for a tag that two chunks share. */
  tail: Buffer
  readonly waiting: { up: Promise<void>; down: Promise<void> }
}

/** Waits for the COMMIT of the transaction whose statements or parameters contain `marker`. */
type Trap = { readonly marker: string; readonly sprung: () => void }

/**
 * A TCP proxy that can fail as networks do: late bytes (`delay`), bytes that never come (`blackHole`), ends that are gone
 * and do not say so (`halfOpen`), resets (`cut`), nobody there (`refuse`), and, between a server of ours and its
 * Postgres, a connection that dies after the COMMIT and before its answer (`cutAfterCommit`).
 */
export class FaultProxy {
  readonly port: number
  readonly #listener: Server
  readonly #pairs = new Set<Pair>()
  #target: number
  #delayMs = 0
  #holed = false
  #refusing = false
  #trap: Trap | undefined

  private constructor(listener: Server, port: number, target: number) {
    this.#listener = listener
    this.port = port
    this.#target = target
    listener.on('connection', client => this.#accept(client))
  }

  /** Stands in front of a port of this machine. */
  static async start(target: number, port = 0): Promise<FaultProxy> {
    const listener = createServer().listen(port, '127.0.0.1')
    await once(listener, 'listening')
    return new FaultProxy(listener, addressOf(listener).port, target)
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#pairs.size
  }

  /** Ends every fault but the connections that it cost; what a black hole held back arrives now. */
  heal(): void {
    this.#delayMs = 0
    this.#refusing = false
    this.#trap = undefined
    if (!this.#holed) return
    this.#holed = false
    for (const pair of this.#pairs) {
      if (!pair.server) this.#connect(pair)
      pair.client.resume()
      pair.server?.resume()
    }
  }

  /** Later connections go there. */
  turnTo(target: number): void {
    this.#target = target
  }

  /** Every chunk waits so long, each way. */
  delay(milliseconds: number): void {
    this.#delayMs = milliseconds
  }

  /** Connections open and nothing passes, either way, until it is healed: as when every packet is lost. */
  blackHole(): void {
    this.#holed = true
    for (const { client, server } of this.#pairs) {
      client.pause()
      server?.pause()
    }
  }

  /** The far ends go; the near ones hear nothing of it. @returns how many */
  halfOpen(): number {
    const cut = [...this.#pairs].filter(pair => pair.server)
    for (const pair of cut) {
      const { server } = pair
      delete pair.server
      server?.resetAndDestroy()
      pair.client.resume()
    }
    return cut.length
  }

  /** Resets every connection. @returns how many */
  cut(): number {
    const count = this.#pairs.size
    for (const pair of this.#pairs) reset(pair)
    return count
  }

  /** Resets every connection, and every new one. */
  refuse(): void {
    this.#refusing = true
    this.cut()
  }

  /**
   * Once: the COMMIT whose transaction names `marker` is let through and its answer is not; both ends are reset then.
   * Resolves when that has happened.
   */
  cutAfterCommit(marker: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#trap = { marker, sprung: resolve }
    return promise
  }

  async stop(): Promise<void> {
    const closed = once(this.#listener, 'close')
    this.#listener.close()
    this.cut()
    await closed
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      client.resetAndDestroy()
      return
    }
    const waiting = { up: Promise.resolve(), down: Promise.resolve() }
    const pair: Pair = { client, said: '', tail: Buffer.alloc(0), waiting }
    this.#pairs.add(pair)
    client.setNoDelay(true)
    client.on('error', () => {})
    client.on('data', chunk => this.#pass(pair, 'up', Buffer.from(chunk)))
    client.on('close', () => {
      this.#pairs.delete(pair)
      pair.server?.destroy()
    })
    if (this.#holed) client.pause()
    else this.#connect(pair)
  }

  #connect(pair: Pair): void {
    const server = createConnection({ host: '127.0.0.1', port: this.#target, noDelay: true })
    pair.server = server
    server.on('data', chunk => this.#pass(pair, 'down', Buffer.from(chunk)))
    // A target that refuses or resets does so to the client, too.
    server.on('error', () => pair.server === server && pair.client.resetAndDestroy())
    server.on('close', () => pair.server === server && pair.client.end())
    if (this.#holed) server.pause()
  }

  #pass(pair: Pair, way: 'up' | 'down', chunk: Buffer): void {
    if (this.#trap && way === 'up') pair.said = `${pair.said}${chunk.toString('latin1')}`.slice(-MEMORY)
    if (this.#trap && way === 'down' && this.#springs(pair, chunk)) {
      reset(pair)
      return
    }
    const write = () => {
      const [from, to] = way === 'up' ? [pair.client, pair.server] : [pair.server, pair.client]
      if (!to || to.destroyed || to.write(chunk) || !from) return
      from.pause()
      to.once('drain', () => this.#holed || from.resume())
    }
    if (this.#delayMs === 0) {
      write()
      return
    }
    const late = sleep(this.#delayMs)
    pair.waiting[way] = pair.waiting[way].then(() => late).then(write)
  }

  #springs(pair: Pair, chunk: Buffer): boolean {
    const seen = Buffer.concat([pair.tail, chunk])
    pair.tail = seen.subarray(-(COMMITTED.length - 1))
    if (!seen.includes(COMMITTED)) return false
    const { said } = pair
    pair.said = ''
    const trap = this.#trap
    if (!trap || !said.includes(trap.marker)) return false
    this.#trap = undefined
    trap.sprung()
    return true
  }
}

function reset(pair: Pair): void {
  const { server } = pair
  delete pair.server
  server?.resetAndDestroy()
  pair.client.resetAndDestroy()
}

function addressOf(listener: Server): AddressInfo {
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('A TCP listener has an address.')
  return address
}
