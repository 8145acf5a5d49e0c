import type { ConsoleSession } from '../protocol/console-session.ts'
import { WaitingCount } from './approvals.tsx'
import { href } from './route.ts'
import { useTheme } from './theme.ts'
import { duration, useNow } from './time.tsx'

const ROOMS = [
  ['agents', 'Agents'],
  ['approvals', 'Approvals'],
  ['executions', 'Executions'],
  ['decisions', 'Decisions'],
  ['workflows', 'Workflows'],
  ['clients', 'Clients'],
  ['revocations', 'Revocations'],
] as const

/** Where one is, who one is, and how long still. */
export function Header({ session, room, onLeave }: { session: ConsoleSession; room: string; onLeave: () => void }) {
  const { theme, next } = useTheme()
  const counts = session.scope.includes('approve:steps')
  return (
    <header class="top">
      <a class="brand" href={href(['agents'])}>
        Remit
      </a>
      <nav aria-label="Rooms">
        {ROOMS.map(([name, title]) => (
          <a key={name} href={href([name])} aria-current={name === room ? 'page' : undefined}>
            {title}
            {name === 'approvals' && counts && <WaitingCount />}
          </a>
        ))}
      </nav>
      <div class="who-am-i">
        <span>
          <code class="me" title={session.client_id}>
            {session.client_id}
          </code>{' '}
          for <code>{session.acting_owner}</code>
        </span>
        <TimeLeft until={session.expires_at} />
        <button type="button" class="small" onClick={next}>
          Theme: {theme}
        </button>
        <button type="button" class="small" onClick={onLeave}>
          Sign out
        </button>
      </div>
    </header>
  )
}

const SOON = 120_000

/** Down to nothing; then the next request finds the session over. */
function TimeLeft({ until }: { until: string }) {
  const left = Date.parse(until) - useNow(1)
  return <span class={left < SOON ? 'left soon' : 'left'}>{duration(left)} left</span>
}
