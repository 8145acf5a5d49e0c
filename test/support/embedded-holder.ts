import { startEmbeddedPostgres } from '../../src/server/store/embedded-postgres.ts'

/** A process that holds an embedded Postgres until it is told to end: says one JSON line, then waits for its input. */
const [directory = ''] = process.argv.slice(2)
try {
  const postgres = await startEmbeddedPostgres(directory)
  console.log(JSON.stringify({ postgres: postgres.pid(), connection: postgres.connection }))
  process.stdin.once('end', () => postgres.stop()).resume()
} catch (error) {
  console.log(JSON.stringify({ refused: error instanceof Error ? error.message : 'unknown' }))
}
