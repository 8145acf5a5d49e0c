import { type FileHandle, open, readFile } from 'node:fs/promises'
import { z } from 'zod'

/** What somebody outside saw answered with 2xx: of which kind, and its id. */
export type Acknowledged = z.output<typeof lineSchema>

const lineSchema = z.object({
  kind: z.enum(['registration', 'approval', 'workflow', 'token', 'revocation']),
  id: z.string(),
  /** The agent, where the id is a registration's. */
  of: z.string().optional(),
})

type Waiting = { readonly line: string; readonly done: () => void; readonly failed: (error: unknown) => void }

/**
 * A file outside of everything that is killed. A line is written after the answer has arrived and is on the disk before
 * `saw` returns; nothing else decides what was acknowledged.
 */
export class Witness {
  readonly #path: string
  readonly #file: FileHandle
  #waiting: Waiting[] = []
  #writing = false
  #count = 0

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  static async open(path: string): Promise<Witness> {
    return new Witness(path, await open(path, 'ax', 0o600))
  }

  /** Lines on the disk. */
  get count(): number {
    return this.#count
  }

  async saw(acknowledged: Acknowledged): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ line: `${JSON.stringify(acknowledged)}\n`, done: resolve, failed: reject })
    if (!this.#writing) this.#write()
    await promise
  }

  /** Everything that was acknowledged, read back from the disk. */
  async read(): Promise<readonly Acknowledged[]> {
    const text = await readFile(this.#path, 'utf8')
    const lines = text.split('\n').filter(line => line !== '')
    return lines.map(line => lineSchema.parse(JSON.parse(line)))
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  /** One sync for all that came while the last one ran. */
  async #write(): Promise<void> {
    this.#writing = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#file.appendFile(batch.map(({ line }) => line).join(''))
        await this.#file.datasync()
        this.#count += batch.length
        for (const { done } of batch) done()
      } catch (error) {
        for (const { failed } of batch) failed(error)
      }
    }
    this.#writing = false
  }
}
