/** SQLSTATE classes and codes that speak of the database's state, not of our statement (PostgreSQL appendix A). */
const TROUBLE_CLASSES = new Set(['08', '28', '53', '58', 'XX'])
const CONTENTION_STATES = new Set([
  '40001', // serialization failure
  '40P01', // deadlock
  '55P03', // lock timeout
])
const TROUBLE_STATES = new Set([
  ...CONTENTION_STATES,
  '57014', // statement timeout
  '57P01', // shutdown by the administrator
  '57P02', // crash of a neighbour
  '57P03', // starting up
  '57P04', // database dropped
  '57P05', // idle session timeout
  '3D000', // database missing
  '25006', // became a standby: read only
  '25P03', // idle in transaction timeout
  '25P04', // transaction timeout
])
const TROUBLE_SYSTEM = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])
/** What the driver says without a code. */
const TROUBLE_TEXTS = [
  'Query read timeout',
  'Connection terminated',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Cannot use a pool after calling end on the pool',
  'driver has already been destroyed',
]

/**
 * True when an error says that the database is away, hung, full or changing over: answered 503, never 500, never as a
 * decision (architecture.md section 3). Looks through `cause` and AggregateError.
 */
export function isStorageTrouble(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (hasTroubleCode(error) || TROUBLE_TEXTS.some(text => error.message.startsWith(text))) return true
  if (error instanceof AggregateError && error.errors.some(isStorageTrouble)) return true
  return isStorageTrouble(error.cause)
}

/** Somebody else's lock was in the way: what was asked for is undone, and may succeed in other company. */
export function isContention(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && CONTENTION_STATES.has(error.code)
  )
}

/** The driver gave up waiting: the statement may still run, and may still commit. */
export function isReadTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout'
}

function hasTroubleCode(error: Error): boolean {
  if (!('code' in error) || typeof error.code !== 'string') return false
  const { code } = error
  if (code === 'ENOENT' || code === 'EACCES') return 'syscall' in error && error.syscall === 'connect'
  if (TROUBLE_SYSTEM.has(code)) return true
  if (code === '23514') return isMissingPartition(error)
  return /^[0-9A-Z]{5}$/.test(code) && (TROUBLE_STATES.has(code) || TROUBLE_CLASSES.has(code.slice(0, 2)))
}

/** No partition for a row: the same code as a check constraint, which has a name (PostgreSQL `ExecFindPartition`). */
function isMissingPartition(error: Error): boolean {
  return !('constraint' in error && error.constraint !== undefined)
}
