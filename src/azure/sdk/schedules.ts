/** The library of timer schedules. A setting that is not the deployed one needs it. */
export { Cron } from 'croner';
