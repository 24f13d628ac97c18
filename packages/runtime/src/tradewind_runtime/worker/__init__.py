"""The worker host: a warm zygote, and under it three processes for each attempt.

zygote        imports Airflow once, forks, counts; runs no Airflow code of an attempt and keeps no secret
 └─ keeper    one per attempt: adopts every stray of it, stops it, tells how it ended (`attempt`)
     └─ supervisor   Airflow's own: the only one that speaks to the gateway (`seams.worker`)
         └─ the task's process, and whatever it starts
"""
